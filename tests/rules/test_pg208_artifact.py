"""What the logs decide about a number that was scored with other weights than those that are saved."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from auditor.frontend.program import load_program
from auditor.interp.analyse import analyse
from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Effect, Finding, Pass, Ruling
from auditor.rules.context import RuleContext
from auditor.rules.data import cards, edition
from auditor.rules.registry import checks
from tests.interp.scripts import MODEL, SCORE
from tests.interp.test_exports import EXPORT
from tests.measure.folders import evidence, folder, manifest

SCRIPT = (
    MODEL.replace(
        "chunks = (val",
        """
def bits(loss):
    return loss / math.log(2.0) * 0.4
chunks = (val""",
    )
    + SCORE
    + EXPORT
    + """
loss = measure(net)
print(f"step:100/100 val_loss:{loss:.4f} val_bpb:{bits(loss):.4f} train_time:600000ms step_avg:6000.00ms")
print(f"Serialized model: {os.path.getsize('raw.pt')} bytes")
save(net)
print(f"Serialized model int8+zlib: {os.path.getsize('model.ptz')} bytes")
load(net)
loss = measure(net)
print(f"final_int8_zlib_roundtrip val_loss:{loss:.4f} val_bpb:{bits(loss):.4f}")
"""
)
"""Scores what training left, exports, and scores what was read back."""


def log(
    *, ended: str = "2.0000 val_bpb:1.1800", own: str | None = "1.2100", size: int = 15_600_000, raw: int = 60_000_000
) -> str:
    """Write a log in which training ends with a validation and the artifact has a score of its own."""
    read_back = f"final_int8_zlib_roundtrip val_loss:2.0500 val_bpb:{own}\n" if own is not None else ""
    return (
        "seed:42\nstep:0/100 val_loss:6.9000 val_bpb:4.1000 train_time:0ms step_avg:0.00ms\n"
        "step:50/100 val_loss:2.1000 val_bpb:1.2390 train_time:300000ms step_avg:6000.00ms\n"
        f"step:100/100 val_loss:{ended} train_time:600000ms step_avg:6000.00ms\n"
        f"Serialized model: {raw} bytes\nSerialized model int8+zlib: {size} bytes\n{read_back}"
    )


def asked(text: str, claim: Mapping[str, object]) -> list[Finding | Pass]:
    """Ask the rule about a folder with one log."""
    submission = folder({"train_gpt.py": SCRIPT, "train_seed42.log": text, "submission.json": manifest(**claim)})
    program = load_program(submission, "3.12", DEFAULT_LIMITS)
    assert program is not None
    known = evidence(submission, program)
    analysis = analyse(program, submission, known, DEFAULT_LIMITS)
    return list(checks()["PG208"](RuleContext(cards()["PG208"], edition(), submission, program, analysis, known)))


def finding(text: str, claim: Mapping[str, object]) -> Finding:
    (found,) = asked(text, claim)
    assert isinstance(found, Finding)
    return found


def test_a_worse_score_of_the_artifact_in_the_same_log_makes_the_class() -> None:
    """The claim ends training, the artifact's own score stands below; the author can act."""
    found = finding(log(), {"val_bpb": 1.18})
    assert found.ruling is Ruling.VIOLATION
    assert found.classes == ("not-the-artifact",)
    assert found.effect is Effect.ACTION
    assert "1.21" in found.message and "train_seed42.log:7" in found.message


def test_an_artifact_that_no_log_scores_leaves_the_number_unproven() -> None:
    """What was saved is counted and its score is not known: the author can supply it."""
    found = finding(log(own=None), {"val_bpb": 1.18})
    assert found.ruling is Ruling.UNPROVEN
    assert found.effect is Effect.ACTION
    assert not found.classes


def test_an_artifact_that_scores_no_worse_is_a_note() -> None:
    """A claim below what the artifact can do takes nothing from anybody."""
    found = finding(log(own="1.1700"), {"val_bpb": 1.18})
    assert found.effect is Effect.NOTE
    assert not found.classes


def test_a_claim_of_what_is_read_back_is_established() -> None:
    """The same run, the other line."""
    (found,) = asked(log(), {"val_bpb": 1.21})
    assert isinstance(found, Pass)


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        pytest.param(log(ended="1.9000 val_bpb:1.1200"), {"val_bpb": 1.239}, id="a validation on the way"),
        pytest.param(log(), {"val_bpb": 1.18, "val_loss": 1.95}, id="another loss beside the claim"),
        pytest.param(log(size=43_000_000), {"val_bpb": 1.18}, id="an export that cannot be the artifact"),
        pytest.param(log(raw=15_000_000), {"val_bpb": 1.18}, id="weights that fit as they are"),
        pytest.param(log(), {"val_bpb": 1.33}, id="a claim that is in no log"),
    ],
)
def test_a_claim_that_may_be_of_something_else_is_left_alone(text: str, claim: Mapping[str, object]) -> None:
    """A line that is met by chance, or an artifact that may be another one, accuses nobody."""
    assert not [found for found in asked(text, claim) if isinstance(found, Finding)]


def test_the_artifacts_loss_beside_the_number_from_before_the_export_is_no_excuse() -> None:
    """The loss is that of the file, the bits per byte are those of the weights before it."""
    assert finding(log(), {"val_bpb": 1.18, "val_loss": 2.05}).classes == ("not-the-artifact",)


def test_each_run_of_a_log_is_held_against_its_own_artifact() -> None:
    """Another run of the same file says nothing of the artifact of this one."""
    second = log(ended="2.0100 val_bpb:1.1890", own="1.2200")
    assert "1.21 (" in finding(log() + second, {"val_bpb": 1.18}).message
    assert finding(log(own=None) + second, {"val_bpb": 1.18}).ruling is Ruling.UNPROVEN
