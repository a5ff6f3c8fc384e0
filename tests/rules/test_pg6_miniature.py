"""Rules PG601 and PG602 and `audit --prove`: what a run in miniature may and may not do to a verdict.

Proofs are made by hand; nothing runs, so torch is not needed.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from auditor.cli import app
from auditor.exit_codes import ExitCode
from auditor.model.finding import Effect, Finding, Ruling
from auditor.model.report import SubmissionReport
from auditor.model.verdict import LegalityVerdict, Verdict
from auditor.prover.outcome import Outcome
from auditor.prover.proof import MetricTested, Proof
from auditor.prover.witness import Witness
from auditor.usecases import audit as module
from auditor.usecases.audit import AuditOptions, audit
from auditor.usecases.prove import ProveOptions
from tests.usecases.repository import CLEAN, FLAGGED

WITNESS = Witness("shared first score", 1270, 4, 9, 0, 3.5, 3.6, "changing token 1270 moved score 0")
METRIC = MetricTested("final val_bpb:1.0", "eval_val", 1, "loss_sum", 2048, 128, "val_loss", True)
LEAK = Proof(Outcome.LEAK, "", WITNESS.message, METRIC, witness=WITNESS, confirmed=True, sizes=(2048,))
CONVICTING = (Outcome.LEAK, Outcome.NOT_NORMALISED)
SEVERITY = list(Verdict)


def audited(monkeypatch: pytest.MonkeyPatch, root: object, proof: Proof) -> SubmissionReport:
    """Audit a fixture whose run in miniature is said to have given `proof`."""
    monkeypatch.setattr(module, "_proof", lambda *_: proof)
    (report,) = audit(root, AuditOptions(prove=ProveOptions())).submissions  # type: ignore[arg-type]
    return report


def said(report: SubmissionReport, rule: str) -> list[Finding]:
    return [judged.finding for judged in report.findings if judged.finding.rule == rule]


def test_nothing_is_run_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the option no code runs and neither rule speaks."""
    monkeypatch.setattr(module, "_proof", lambda *_: pytest.fail("a script was run"))
    (report,) = audit(CLEAN).submissions
    assert not said(report, "PG601") and not said(report, "PG602")


@pytest.mark.parametrize("outcome", Outcome)
def test_only_convictions_move_a_clean_verdict(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    """LEAK and NOT_NORMALISED raise a clean verdict to a flag; every other outcome is a note that moves nothing."""
    report = audited(monkeypatch, CLEAN, replace(LEAK, outcome=outcome, reason_class="x"))
    (finding,) = said(report, "PG601")
    if outcome in CONVICTING:
        assert report.verdict is Verdict.COMPLIANCE_FLAG
        assert finding.ruling is Ruling.VIOLATION and WITNESS.message in finding.message
    else:
        assert report.verdict is Verdict.LOOKS_CLEAN and report.legality.verdict is LegalityVerdict.LEGAL
        assert finding.effect is Effect.NOTE and outcome.value in finding.message


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("root", [CLEAN, FLAGGED], ids=["clean", "flagged"])
def test_no_outcome_lowers_a_verdict(monkeypatch: pytest.MonkeyPatch, root: object, outcome: Outcome) -> None:
    """Whatever a run shows, the verdict is at least the one without it, and an illegal path stays illegal."""
    (before,) = audit(root).submissions  # type: ignore[arg-type]
    after = audited(monkeypatch, root, replace(LEAK, outcome=outcome))
    assert SEVERITY.index(after.verdict) >= SEVERITY.index(before.verdict)
    assert not (
        before.legality.verdict is LegalityVerdict.ILLEGAL and after.legality.verdict is not before.legality.verdict
    )


def test_a_convicted_path_that_reads_as_legal_is_a_finding_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contradiction names reading and running and leaves the legality unclear."""
    report = audited(monkeypatch, CLEAN, LEAK)
    (finding,) = said(report, "PG602")
    assert "reading the code found the eval path legal" in finding.message and "LEAK" in finding.message
    assert finding.effect is Effect.REVIEW and report.legality.verdict is LegalityVerdict.UNCLEAR


def test_a_clean_run_of_a_path_that_reads_as_illegal_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running clean contradicts the reading aloud, and takes nothing back."""
    report = audited(monkeypatch, FLAGGED, replace(LEAK, outcome=Outcome.CLEAN_IN_MINIATURE, witness=None))
    (finding,) = said(report, "PG602")
    assert finding.effect is Effect.NOTE and "illegal" in finding.message
    assert report.verdict is Verdict.COMPLIANCE_FLAG


def test_agreement_is_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convicted twice, or read as legal and run clean: nothing to decide for a reader."""
    clean = replace(LEAK, outcome=Outcome.CLEAN_IN_MINIATURE, witness=None)
    assert not said(audited(monkeypatch, FLAGGED, LEAK), "PG602")
    assert not said(audited(monkeypatch, CLEAN, clean), "PG602")


def test_a_conviction_points_at_the_function_that_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finding stands where the scores were added up; a place that no file has is left out."""
    (before,) = audit(CLEAN).submissions
    headline = before.legality.headline
    assert headline is not None and headline.function is not None and headline.span is not None
    where = replace(METRIC, function=headline.function, line=inside(before, headline.function))
    (finding,) = said(audited(monkeypatch, CLEAN, replace(LEAK, metric=where)), "PG601")
    assert finding.location is not None and finding.location.line == where.line
    (finding,) = said(audited(monkeypatch, CLEAN, LEAK), "PG601")
    assert finding.location is None


def inside(report: SubmissionReport, function: str) -> int:
    """Return the line of the `def` of `function` in the payload."""
    lines = report.sources[0].text.split("\n")
    return next(n for n, text in enumerate(lines, 1) if text.lstrip().startswith(f"def {function}("))


def test_without_torch_the_option_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is audited and no finding is made of what the machine lacks."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a))
    result = CliRunner().invoke(app, ["audit", str(CLEAN), "--prove"])
    assert result.exit_code == ExitCode.USAGE and "pgolf[torch]" in result.output
