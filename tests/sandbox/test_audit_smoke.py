"""`pgolf audit --smoke`: what a smoke test may and may not do to a report."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from auditor.errors import SandboxUnavailable
from auditor.model.report import SubmissionReport
from auditor.model.smoke import Judgement, SmokeFacts, SmokeLevel, SmokeOutcome, SmokeReport
from auditor.model.submission import Submission
from auditor.model.verdict import Verdict
from auditor.report import json as json_format
from auditor.report import text as text_format
from auditor.usecases import smoke as smoke_module
from auditor.usecases.audit import AuditOptions, audit
from auditor.usecases.smoke import SmokeOptions
from tests.usecases.repository import CLEAN, FLAGGED

ASKED = AuditOptions(smoke=SmokeOptions())
FACTS = SmokeFacts(93038, 512, 11, 1024, import_seconds=0.05, stubs=("triton",), python="3.11.7", sandbox="bwrap")


def told(outcome: SmokeOutcome, reason: str = "", exception: str = "") -> SmokeReport:
    """Return a smoke report with this outcome."""
    judgement = Judgement(outcome, reason, exception)
    return SmokeReport("x", "train_gpt.py", SmokeLevel.IMPORT, judgement, FACTS)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch):
    """Let the smoke test give a prepared answer, or raise it."""

    def prepare(given: SmokeReport | Exception) -> None:
        def smoke_submission(submission: Submission, options: SmokeOptions) -> SmokeReport:
            if isinstance(given, Exception):
                raise given
            return given

        monkeypatch.setattr(smoke_module, "smoke_submission", smoke_submission)

    return prepare


def smoked(**options: object) -> tuple[SubmissionReport, str]:
    """Return the audited clean submission and the whole report as text, its JSON checked against the schema."""
    report = audit(CLEAN, replace(ASKED, **options))
    Draft202012Validator(json_format.schema()).validate(json_format.document(report))
    (one,) = report.submissions
    return one, text_format.render(report)


def test_off_unless_asked_for(answer) -> None:
    """An audit runs nothing by itself, and its report has no smoke section."""
    answer(AssertionError("it ran"))
    one, text = smoked(smoke=None)
    assert "smoke" not in one.facts and "Smoke test" not in text


def test_a_defect_asks_the_author_and_never_flags(answer) -> None:
    """FAIL is author action; legality and its classes stay what they are without a smoke test."""
    answer(told(SmokeOutcome.FAIL, "the script cannot run on any machine", "NameError: name 'np' is not defined"))
    one, text = smoked()
    assert one.verdict is Verdict.NEEDS_AUTHOR_ACTION
    assert one.legality == audit(CLEAN).submissions[0].legality
    (finding,) = [judged.finding for judged in one.findings if judged.finding.rule == "PG603"]
    assert finding.effect.value == "action" and "NameError" in finding.message
    assert "Smoke test" in text and "IMPORT_FAIL" in text and "stand-ins: triton" in text


def test_no_conclusion_is_a_note(answer) -> None:
    """What this machine lacks moves neither verdict nor legality."""
    answer(told(SmokeOutcome.INCONCLUSIVE, "needs a GPU when imported"))
    one, text = smoked()
    plain = audit(CLEAN).submissions[0]
    assert (one.verdict, one.legality) == (plain.verdict, plain.legality)
    (finding,) = [judged.finding for judged in one.findings if judged.finding.rule == "PG603"]
    assert finding.effect.value == "note" and "needs a GPU" in text


def test_a_pass_proves_nothing(answer) -> None:
    """PASS is a fact of the report and no finding, no pass; a flagged submission stays flagged."""
    answer(told(SmokeOutcome.PASS))
    one, text = smoked()
    assert one.facts["smoke"]["line"].endswith("SMOKE_TEST_PASS") and one.facts["smoke"]["line"] in text
    assert one.facts["smoke"]["facts"]["stubs"] == ("triton",)
    assert not [said for said in (*one.passes, *(j.finding for j in one.findings)) if said.rule == "PG603"]
    assert audit(FLAGGED, ASKED).submissions[0].verdict is Verdict.COMPLIANCE_FLAG


def test_hostile_text_is_written_out(answer) -> None:
    """What a script says about itself cannot drive a terminal."""
    answer(told(SmokeOutcome.INCONCLUSIVE, "other", "E: \x1b[2J\u202eforged"))
    _, text = smoked()
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b[2J" in text


def test_a_machine_without_a_sandbox_is_an_error_and_no_finding(answer) -> None:
    """What the machine lacks is raised: no submission is blamed for it, and nothing runs unconfined."""
    answer(SandboxUnavailable("no sandbox on this machine"))
    with pytest.raises(SandboxUnavailable, match="no sandbox"):
        audit(CLEAN, ASKED)


def test_a_harness_that_fails_costs_no_verdict_of_others(answer) -> None:
    """A crash of the smoke test asks for review by hand, as that of any stage does."""
    answer(ValueError("boom"))
    one, _ = smoked()
    assert one.verdict is Verdict.NEEDS_REVIEW
    assert any("the smoke test failed with ValueError" in judged.finding.message for judged in one.findings)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_the_audit_itself_never_loads_torch() -> None:
    """End to end: the script is loaded in the sandbox, and the auditing process holds no torch."""
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom auditor.cli import app\n"
        f"done = CliRunner().invoke(app, ['audit', {str(CLEAN)!r}, '--smoke', '--format', 'json'])\n"
        "assert 'torch' not in sys.modules\nprint(done.stdout)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    smoke = json.loads(done.stdout)["submissions"][0]["facts"]["smoke"]
    assert smoke["facts"]["torch"] and "seccomp" in smoke["facts"]["sandbox"], smoke
