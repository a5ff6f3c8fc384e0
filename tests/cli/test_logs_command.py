"""`pgolf logs`: text, JSON, plots and bad input through the console script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditor.cli import app
from tests.measure.folders import log_text


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["logs", *arguments])
    return result.exit_code, result.output


def test_text_has_a_row_per_log_and_its_metrics(tmp_path: Path) -> None:
    """The table states the facts, the list below the metrics with their lines."""
    log = tmp_path / "train_seed42.log"
    log.write_text(log_text(42, bpb=1.05011), encoding="utf-8")
    code, output = _run(str(log))
    assert code == 0
    assert "1.05011" in output and "588.0" in output and "quantized_ttt" in output and "(diagnostic)" in output


def test_json_states_unknown_as_null(tmp_path: Path) -> None:
    """A log without facts gives nulls, and hostile text stays escaped."""
    log = tmp_path / "x.log"
    log.write_text("final\x1b[31m val_loss:2.0 val_bpb:1.2\n", encoding="utf-8")
    code, output = _run(str(log), "--format", "json")
    (found,) = json.loads(output)["logs"]
    assert code == 0 and found["train_s"] is None and found["headline"]["bpb"] == 1.2
    assert "\x1b" not in output


def test_escapes_never_reach_the_terminal(tmp_path: Path) -> None:
    """Control characters and markup of a log are shown, not obeyed."""
    log = tmp_path / "x.log"
    log.write_text("evil\x1b]0;title\x07[bold]name\u202e val_bpb:1.2\n", encoding="utf-8")
    _, output = _run(str(log))
    assert "\x1b" not in output and "\u202e" not in output and "[bold]" in output


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A path that cannot be read ends with the code for nothing readable, without a traceback."""
    code, output = _run(str(tmp_path / "absent.log"))
    assert code == 4 and "absent.log" in output and "Traceback" not in output


def test_an_unknown_format_is_a_usage_error(tmp_path: Path) -> None:
    """Formats are text and json."""
    assert _run(str(tmp_path), "--format", "xml")[0] == 2


def test_plot_writes_a_picture(tmp_path: Path) -> None:
    """With matplotlib installed the loss curves are drawn; without training lines that is said."""
    pytest.importorskip("matplotlib")
    log = tmp_path / "a$x.log"
    log.write_text(log_text(42), encoding="utf-8")
    code, _ = _run(str(log), "--plot", str(tmp_path / "out.png"))
    assert code == 0 and (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    log.write_text("val_bpb:1.2\n", encoding="utf-8")
    code, output = _run(str(log), "--plot", str(tmp_path / "none.png"))
    assert code == 2 and "nothing to draw" in output
