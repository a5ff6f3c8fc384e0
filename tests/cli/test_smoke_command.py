"""`pgolf smoke`: exit codes and formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditor.cli import app
from auditor.model.smoke import Judgement, SmokeFacts, SmokeLevel, SmokeOutcome, SmokeReport
from auditor.report.smoke import line, render_json, render_text

GOOD = (
    "class H:\n    model_dim = 512\n    num_layers = 11\n    vocab_size = 1024\nif __name__ == '__main__':\n    pass\n"
)


def call(*arguments: object):
    return CliRunner().invoke(app, ["smoke", *map(str, arguments)])


@pytest.mark.parametrize(("source", "code"), [(GOOD, 0), ("", 1), ("x = = 1\n", 1)])
def test_exit_code_follows_the_outcome(tmp_path: Path, source: str, code: int) -> None:
    """0 for PASS, 1 for FAIL."""
    script = tmp_path / "train_gpt.py"
    script.write_text(source)
    assert call(script, "--level", "parse").exit_code == code


def test_usage_errors(tmp_path: Path) -> None:
    """Unknown levels, formats, paths and times are usage errors."""
    script = tmp_path / "train_gpt.py"
    script.write_text(GOOD)
    for arguments in (
        (script, "--level", "x"),
        (script, "--format", "x"),
        (tmp_path / "no",),
        (script, "--timeout", 0),
    ):
        assert call(*arguments).exit_code == 2


def test_text_and_json_tell_the_same(tmp_path: Path) -> None:
    """The line of the text form is part of the JSON form, beside every hyper-parameter with its place."""
    script = tmp_path / "train_gpt.py"
    script.write_text(GOOD)
    text = call(script, "--level", "parse").stdout
    (entry,) = json.loads(call(script, "--level", "parse", "--format", "json").stdout)["smoke"]
    assert entry["line"] == f"parse OK, dim=512, layers=11, vocab=1024, code={len(GOOD)} B, PARSE_PASS"
    assert entry["line"] in text
    first = entry["facts"]["hyperparameters"][0]
    assert first == {"name": "model_dim", "value": 512, "line": 2, "origin": "class H"}


def test_line_has_the_shape_that_reviewers_post() -> None:
    """The line of a passing import."""
    facts = SmokeFacts(93038, 512, 11, 1024, import_seconds=0.0512)
    report = SmokeReport("x", "train_gpt.py", SmokeLevel.IMPORT, Judgement(SmokeOutcome.PASS), facts)
    assert line(report) == "import OK in 0.05s, dim=512, layers=11, vocab=1024, code=93038 B, SMOKE_TEST_PASS"


def test_untrusted_text_cannot_steer_a_terminal() -> None:
    """Escapes and workflow commands in what the script's process told are written out, on one line each."""
    evil = "x\x1b[2J\n::error::owned\r\u202e"
    facts = SmokeFacts(
        1, parameters_problem=evil, loss_problem=evil, stubs=(evil,), tried=(evil,), torch=evil, sandbox="s"
    )
    judgement = Judgement(SmokeOutcome.FAIL, "because", evil)
    report = SmokeReport(evil, evil, SmokeLevel.FORWARD, judgement, facts, judgement, (evil,), evil)
    text = render_text([report])
    assert "\x1b" not in text and "\u202e" not in text and not any(row.startswith("::") for row in text.splitlines())
    assert json.loads(render_json([report]))["smoke"][0]["judgement"]["exception"] == evil
