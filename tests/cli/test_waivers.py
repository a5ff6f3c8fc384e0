"""Waiver files: a reviewer's, outside what is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import PgolfError
from auditor.waivers import read_waivers

_GOOD = """
[[waiver]]
fingerprint = "0123456789abcdef0123456789abcdef"
reason = "read by hand: the cache is never consulted"
date = "2026-05-01"
by = "someone"
"""


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    """Both formats give the same waivers."""
    (tmp_path / "w.toml").write_text(_GOOD)
    (tmp_path / "w.json").write_text(
        '{"waiver": [{"fingerprint": "0123456789abcdef0123456789abcdef", "date": "2026-05-01", "by": "someone",'
        ' "reason": "read by hand: the cache is never consulted"}]}'
    )
    assert read_waivers(tmp_path / "w.toml", None) == read_waivers(tmp_path / "w.json", None)


def test_a_date_of_toml_is_a_date(tmp_path: Path) -> None:
    """TOML has dates of its own; they are accepted unquoted."""
    (tmp_path / "w.toml").write_text(_GOOD.replace('"2026-05-01"', "2026-05-01"))
    assert read_waivers(tmp_path / "w.toml", None)[0].date == "2026-05-01"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("0123456789abcdef0", "xyz", "32 digits"),
        ("read by hand: the cache is never consulted", " ", "reason"),
        ("2026-05-01", "yesterday", "YYYY-MM-DD"),
        ("[[waiver]]", "[waiver]", "list"),
        ("[[waiver]]", "[[[", "w.toml"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, told: str) -> None:
    """A waiver without fingerprint, reason or date is none."""
    (tmp_path / "w.toml").write_text(_GOOD.replace(old, new))
    with pytest.raises(PgolfError, match=told):
        read_waivers(tmp_path / "w.toml", None)


def test_one_finding_is_waived_once(tmp_path: Path) -> None:
    """Two reasons for one fingerprint are a mistake in the file."""
    (tmp_path / "w.toml").write_text(_GOOD + _GOOD)
    with pytest.raises(PgolfError, match="twice"):
        read_waivers(tmp_path / "w.toml", None)


def test_a_submission_cannot_waive_its_own_findings(tmp_path: Path) -> None:
    """A file below the audited root is refused, also through a link."""
    (tmp_path / "pr").mkdir()
    (tmp_path / "pr" / "w.toml").write_text(_GOOD)
    (tmp_path / "link.toml").symlink_to(tmp_path / "pr" / "w.toml")
    for path in (tmp_path / "pr" / "w.toml", tmp_path / "link.toml"):
        with pytest.raises(PgolfError, match="outside"):
            read_waivers(path, tmp_path / "pr")
