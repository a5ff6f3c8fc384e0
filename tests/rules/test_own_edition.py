"""An edition of the user's own: a shipped one with named changes, and an error for anything else in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import PgolfError
from auditor.model.finding import Effect
from auditor.rules.data import edition

BASED = 'based_on = "2026-05-02"\n'


def write(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(BASED + text)
    return str(path)


def test_named_values_change_and_all_others_stay(tmp_path: Path) -> None:
    base = edition("2026-05-02")
    own = edition(
        write(
            tmp_path,
            'target_python = "3.12"\n[numbers]\nval_bytes = 5\n[effects]\nPG207 = "flag"\n[standing]\netlb = "legal"\n',
        )
    )
    assert own.target_python == "3.12"
    assert own.numbers == {**base.numbers, "val_bytes": 5.0}
    assert own.effects == {**base.effects, "PG207": Effect.FLAG}
    assert own.standing == {**base.standing, "etlb": "legal"}


def test_the_name_tells_two_contents_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (edition(write(tmp_path / d, f"[numbers]\nseeds = {n}\n")).name for d, n in (("a", 1), ("b", 2)))
    assert first.startswith("own@") and second.startswith("own@") and first != second


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[numbers]\nval_byte = 5\n", "no 'val_byte'"),
        ('[effects]\nPG999 = "flag"\n', "no 'PG999'"),
        ('[effects]\nPG207 = "ban"\n', "PG207"),
        ('[standing]\netlb = "fine"\n', "'fine' is not a standing"),
        ('[numbers]\nval_bytes = "many"\n', "val_bytes"),
        ("[rules]\na = 1\n", "no rules"),
        ("numbers = [", "own.toml"),
        ("numbers = 5\n", "numbers is a table"),
    ],
)
def test_what_an_edition_cannot_say_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PgolfError, match=said):
        edition(write(tmp_path, text))


def test_an_edition_names_what_it_is_based_on(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[numbers]\nseeds = 1\n")
    with pytest.raises(PgolfError, match="based_on must name a shipped edition: 2026-03-20"):
        edition(str(path))
    with pytest.raises(PgolfError, match="cannot be read"):
        edition(str(tmp_path / "absent.toml"))
