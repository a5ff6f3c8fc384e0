"""The audit use case: one boundary, every submission named, the same bytes twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from auditor.errors import BudgetExceeded, IntakeError
from auditor.model.finding import Finding, Pass
from auditor.model.report import Waiver
from auditor.model.verdict import Verdict
from auditor.report.json import document, render, schema
from auditor.rules import registry
from auditor.rules.context import RuleContext
from auditor.usecases import audit as module
from auditor.usecases.audit import AuditOptions, audit, audit_pull
from tests.usecases.repository import CLEAN, FLAGGED, git, pull, repository


def test_a_fixture_is_judged_and_keeps_the_contract() -> None:
    """A legal submission looks clean, and its JSON is what the schema says."""
    report = audit(CLEAN)
    assert [one.verdict for one in report.submissions] == [Verdict.LOOKS_CLEAN]
    Draft202012Validator(schema()).validate(document(report))


def test_two_runs_give_the_same_bytes() -> None:
    """Nothing in a report depends on when or where it was made."""
    assert render(audit(FLAGGED)) == render(audit(FLAGGED))


@pytest.mark.parametrize(
    "error",
    [ValueError("boom"), BudgetExceeded("steps", 10, 11), RecursionError(), MemoryError()],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("stage", ["_program", "_evidence", "_analysis"])
def test_a_stage_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception) -> None:
    """Whatever a stage raises, the report names the stage, asks for review and is never clean."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, stage, fail)
    report = audit(CLEAN)
    (one,) = report.submissions
    said = [judged.finding for judged in one.findings if judged.finding.rule == "PG900"]
    assert (
        said and {"_program": "reading", "_evidence": "measuring", "_analysis": "analysing"}[stage] in said[0].message
    )
    assert one.verdict not in {Verdict.LOOKS_CLEAN}
    Draft202012Validator(schema()).validate(document(report))


def test_a_rule_that_crashes_keeps_what_it_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A violation found before the crash counts, and the crash is a finding of its own."""

    def check(context: RuleContext) -> Iterator[Finding | Pass]:
        yield context.violation("found first")
        raise KeyError("x")

    monkeypatch.setattr(module, "checks", lambda: {"PG101": check})
    (one,) = audit(CLEAN).submissions
    assert [judged.finding.rule for judged in one.findings] == ["PG101", "PG900"]
    assert one.verdict is Verdict.COMPLIANCE_FLAG


def test_one_broken_submission_does_not_stop_the_others(tmp_path: Path) -> None:
    """Beside a folder whose script is noise, the good one is judged as ever; the bad one is not clean."""
    import shutil

    shutil.copytree(CLEAN / "records", tmp_path / "records")
    bad = tmp_path / "records" / "track_10min_16mb" / "2026-01-01_Bad"
    bad.mkdir()
    (bad / "train_gpt.py").write_bytes(b"\x00\xff(((\n" * 1000)
    by_name = {one.name: one.verdict for one in audit(tmp_path).submissions}
    assert by_name.pop("2026-01-01_Bad") not in {Verdict.LOOKS_CLEAN}
    assert list(by_name.values()) == [Verdict.LOOKS_CLEAN]


def test_a_folder_without_a_script_is_unreadable(tmp_path: Path) -> None:
    """It is named and judged UNREADABLE, not skipped."""
    folder = tmp_path / "records" / "track_10min_16mb" / "2026-01-01_Empty"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("soon")
    assert [one.verdict for one in audit(tmp_path).submissions] == [Verdict.UNREADABLE]


def test_a_waiver_takes_a_finding_out_of_the_verdict_but_not_out_of_the_report() -> None:
    """The waived finding is marked; waivers that match nothing are reported as stale."""
    before = audit(FLAGGED)
    flags = [j for j in before.submissions[0].findings if j.finding.effect.value == "flag"]
    waivers = tuple(Waiver(j.fingerprint, "read by hand", "2026-05-01") for j in flags)
    report = audit(FLAGGED, AuditOptions(waivers=(*waivers, Waiver("f" * 32, "gone", "2026-04-01"))))
    (one,) = report.submissions
    assert before.submissions[0].verdict is Verdict.COMPLIANCE_FLAG
    assert one.verdict is not Verdict.COMPLIANCE_FLAG
    assert len(one.findings) == len(before.submissions[0].findings)
    assert [waiver.fingerprint for waiver in report.stale_waivers] == ["f" * 32]
    Draft202012Validator(schema()).validate(document(report))


def test_a_rule_outside_the_edition_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edition that does not list a rule is silent about it."""
    real = registry.checks()

    def check(context: RuleContext) -> Iterator[Finding | Pass]:
        raise AssertionError

    monkeypatch.setattr(module, "checks", lambda: {**real, "PG999": check})
    (one,) = audit(CLEAN).submissions
    assert not [judged for judged in one.findings if judged.finding.rule == "PG900"]


def test_a_pull_request_is_read_from_objects(tmp_path: Path) -> None:
    """From a repository and a number alone: its head is named, its folders are judged."""
    root = repository(tmp_path / "repo")
    head = pull(root, 7, FLAGGED)
    report = audit_pull(str(root), 7)
    assert report.head == head
    assert [(one.name, one.verdict) for one in report.submissions] == [
        ("2026-03-21_9L_EMA_TTT20", Verdict.COMPLIANCE_FLAG)
    ]


def test_a_pull_request_is_fetched_by_url(tmp_path: Path) -> None:
    """Git's own client brings it into a temporary directory."""
    root = repository(tmp_path / "repo")
    pull(root, 7, CLEAN)
    git(root, "checkout", "-q", "main")
    report = audit_pull(root.as_uri(), 7)
    assert [one.verdict for one in report.submissions] == [Verdict.LOOKS_CLEAN]


@pytest.mark.parametrize("source", ["ext::sh -c touch% pwned", "--upload-pack=touch pwned", "/nowhere", "ssh://x/y"])
def test_a_source_that_git_may_not_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Transports that run commands, options in disguise and missing paths end in one sentence, and nothing ran."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IntakeError):
        audit_pull(source, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_number_without_pull_request_is_an_error(tmp_path: Path) -> None:
    """The message names the number."""
    with pytest.raises(IntakeError, match="12345"):
        audit_pull(str(repository(tmp_path / "repo")), 12345)
