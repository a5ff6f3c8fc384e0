"""What a proof says to people, programs and the audit, and how the command declines."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("numpy")

from auditor.cli import app
from auditor.exit_codes import ExitCode
from auditor.prover.outcome import Outcome, ProverUnavailable
from auditor.prover.proof import Condition, MetricTested, Proof
from auditor.prover.witness import Witness
from auditor.report.proof import render_json, render_text
from auditor.usecases.prove import ProvedSubmission, exit_code_of, require_torch

WITNESS = Witness("shared first score", 1270, 4, 9, 0, 3.5, 3.6, "changing token 1270 moved score 0")
METRIC = MetricTested("final \x1b[31mval_bpb:1.0", "eval_val", 120, "loss_sum", 2048, 128, "val_loss", True)
LEAK = Proof(Outcome.LEAK, "", WITNESS.message, METRIC, (Condition("C1+C3", False, "x"),), WITNESS, True, sizes=(2048,))
CLEAN = Proof(Outcome.CLEAN_IN_MINIATURE, "", "no violation in the code that ran", METRIC, sizes=(2048,))


def proved(*proofs: Proof) -> tuple[ProvedSubmission, ...]:
    return tuple(ProvedSubmission("records/x", "train_gpt.py", proof) for proof in proofs)


def test_text_never_calls_clean_a_pass_and_hides_no_control_character() -> None:
    """Clean comes with the sentence that it acquits nothing; what the script printed cannot move the cursor."""
    text = render_text(proved(CLEAN))
    assert "never acquits" in text and "PASS" not in text
    assert "\x1b" not in text


def test_json_names_witness_and_settings() -> None:
    """The JSON form carries the witness, its repetition and every lowered setting."""
    lowered = replace(LEAK, lowered={"ITERATIONS": ("20000", "6")})
    row = json.loads(render_json(proved(lowered)))["proofs"][0]
    assert row["outcome"] == "LEAK" and row["witness"]["confirmed_on_second_seed"] is True
    assert row["miniature"]["lowered"] == {"ITERATIONS": {"from": "20000", "to": "6"}}


@pytest.mark.parametrize(
    ("proofs", "code"),
    [
        ((), ExitCode.NOTHING),
        ((CLEAN,), ExitCode.CLEAN),
        ((CLEAN, LEAK), ExitCode.FLAG),
        ((CLEAN, Proof(Outcome.UNDECIDED, "crash", "x")), ExitCode.REVIEW),
        ((Proof(Outcome.BYTES_DIFFER, "", "x"),), ExitCode.REVIEW),
    ],
)
def test_exit_codes(proofs: tuple[Proof, ...], code: ExitCode) -> None:
    """A conviction is a flag, anything undecided or odd asks for review."""
    assert exit_code_of(proved(*proofs)) is code


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the message says what to install."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a))
    with pytest.raises(ProverUnavailable, match=r"torch.*pgolf\[torch\]"):
        require_torch()


@pytest.mark.parametrize(
    "arguments",
    [["/nowhere"], [".", "--conditions", "c9"], [".", "--format", "xml"], [".", "--set", "X"], [".", "--budget", "1"]],
)
def test_the_command_refuses_what_it_cannot_do(arguments: list[str]) -> None:
    """Wrong arguments are usage errors before anything runs."""
    assert CliRunner().invoke(app, ["prove", *arguments]).exit_code == ExitCode.USAGE


def test_an_empty_directory_holds_nothing_to_prove(tmp_path: Path) -> None:
    """Nothing below the directory: exit code 4."""
    assert CliRunner().invoke(app, ["prove", str(tmp_path)]).exit_code == ExitCode.NOTHING
