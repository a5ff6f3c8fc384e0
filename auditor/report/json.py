"""The JSON report: the contract that scripts depend on. Its shape is `report-1.schema.json` beside this file."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.resources import files
from typing import Any

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Citation, Finding, PathStep
from auditor.model.report import AuditReport, HeadlineReport, JudgedFinding, SubmissionReport, Waiver
from auditor.model.source import Span

SCHEMA_VERSION = 1


def render(report: AuditReport) -> str:
    """Return the report as JSON text: ASCII only, so that no terminal can be driven by what a submission holds."""
    return dump(document(report)) + "\n"


def dump(value: Any, *, indent: int | None = 1) -> str:
    """Return JSON text of ASCII characters; a number that is not finite (a log may print one) is unknown, so null."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=True, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """Return the JSON schema of `document`."""
    text = files("auditor.report").joinpath("report-1.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def document(report: AuditReport) -> dict[str, Any]:
    """Return the whole report as JSON-ready values."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "pgolf", "version": report.version},
        "edition": report.edition,
        "root": report.root,
        "head": report.head,
        "base": report.base,
        "problems": [{"path": problem.path, "message": problem.message} for problem in report.problems],
        "stale_waivers": [_waiver(waiver) for waiver in report.stale_waivers],
        "submissions": [submission_document(submission) for submission in report.submissions],
    }


def submission_document(report: SubmissionReport) -> dict[str, Any]:
    """Return one submission as JSON-ready values."""
    return {
        "path": report.path,
        "name": report.name,
        "track": report.track,
        "script": report.script,
        "script_reason": report.script_reason,
        "copy_of": report.copy_of,
        "content_sha256": report.content_sha256,
        "verdict": report.verdict.value,
        "recommendation": report.recommendation,
        "legality": {
            "verdict": report.legality.verdict.value,
            "classes_active": list(report.legality.classes_active),
            "classes_inactive": list(report.legality.classes_inactive),
            "headline": _headline(report.legality.headline),
        },
        "findings": [_finding(report, judged) for judged in report.findings],
        "passes": [
            {"rule": passed.rule, "established": passed.established, "classes": list(passed.classes)}
            for passed in report.passes
        ],
        "facts": report.facts,
    }


def _headline(headline: HeadlineReport | None) -> dict[str, Any] | None:
    if headline is None:
        return None
    return {
        "bpb": headline.bpb,
        "function": headline.function,
        "line": headline.line,
        "log": headline.log,
        "how": headline.how,
    }


def _finding(report: SubmissionReport, judged: JudgedFinding) -> dict[str, Any]:
    finding = judged.finding
    return {
        "rule": finding.rule,
        "slug": finding.slug,
        "ruling": finding.ruling.value,
        "level": level(finding),
        "message": finding.message,
        "location": None if finding.location is None else _span(report, finding.location),
        "path": [_step(report, number, step) for number, step in enumerate(finding.path, start=1)],
        "rulings": [_citation(citation) for citation in finding.citations],
        "classes": list(finding.classes),
        "latent": finding.latent,
        "fingerprint": judged.fingerprint,
        "waiver": None if judged.waiver is None else _waiver(judged.waiver),
    }


def level(finding: Finding) -> str:
    """Return error, warning or note; a latent finding is a note whatever its rule's effect."""
    return "note" if finding.latent is not None else finding.effect.level


def _span(report: SubmissionReport, span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "layer": span.layer,
        "line": span.line,
        "column": span.column,
        "source": _quote(report, span),
    }


def _step(report: SubmissionReport, number: int, step: PathStep) -> dict[str, Any]:
    return {
        "step": number,
        "event": step.event,
        "file": step.span.file,
        "layer": step.span.layer,
        "line": step.span.line,
        "function": step.function,
        "message": step.message,
        "source": _quote(report, step.span),
    }


def _quote(report: SubmissionReport, span: Span) -> str | None:
    line = report.source_line(span)
    return None if line is None else line[: DEFAULT_LIMITS.report.source_line_chars]


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "source": citation.source,
        "date": citation.date,
        "status": citation.status,
        "summary": citation.summary,
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {"fingerprint": waiver.fingerprint, "reason": waiver.reason, "date": waiver.date, "by": waiver.by}
