"""Read a JSON report back. The text is untrusted: a CI job that may write comments reads what an untrusted job made.

Nothing is taken that the schema does not allow, and nothing is looked up anywhere: the result is data to render.
"""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from auditor.errors import PgolfError
from auditor.limits import DEFAULT_LIMITS, ReportLimits
from auditor.model.evidence import Claim, Evidence, Headline
from auditor.model.finding import Citation, Effect, Finding, Pass, PathStep, Ruling
from auditor.model.report import (
    AuditReport,
    HeadlineReport,
    JudgedFinding,
    LegalityReport,
    SubmissionReport,
    Waiver,
)
from auditor.model.source import Span
from auditor.model.submission import RootProblem
from auditor.model.verdict import LegalityVerdict, Verdict
from auditor.report.json import schema

_EFFECT = {"error": Effect.FLAG, "warning": Effect.REVIEW, "note": Effect.NOTE}
"""The JSON says how a finding is shown, not its effect; the verdict is taken as it stands and not derived again."""


def read_report(data: bytes, limits: ReportLimits = DEFAULT_LIMITS.report) -> AuditReport:
    """Return the report that `data` holds. Raises PgolfError where it is too large, no JSON, or breaks the schema."""
    if len(data) > limits.json_bytes:
        raise PgolfError(f"the report is larger than {limits.json_bytes} bytes")
    try:
        loaded = json.loads(data.decode("utf-8"), parse_constant=_reject)
    except (ValueError, RecursionError) as error:
        raise PgolfError(f"the report is not JSON: {error}") from error
    problem = next(Draft202012Validator(schema()).iter_errors(loaded), None)
    if problem is not None:
        where = "/".join(str(part) for part in problem.absolute_path)
        raise PgolfError(f"the report breaks schema version 1 at {where or 'its top'}: {problem.message[:200]}")
    return _report(loaded)


def _reject(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _report(raw: dict[str, Any]) -> AuditReport:
    return AuditReport(
        version=raw["tool"]["version"],
        edition=raw["edition"],
        root=raw["root"],
        submissions=tuple(_submission(row) for row in raw["submissions"]),
        head=raw.get("head"),
        base=raw.get("base"),
        problems=tuple(RootProblem(row["path"], row["message"]) for row in raw.get("problems", ())),
        stale_waivers=tuple(Waiver(**row) for row in raw.get("stale_waivers", ())),
    )


def _submission(raw: dict[str, Any]) -> SubmissionReport:
    legality, headline = raw["legality"], raw["legality"]["headline"]
    quotes: dict[tuple[str, int, int], str] = {}
    findings = tuple(_finding(row, quotes) for row in raw["findings"])
    return SubmissionReport(
        path=raw["path"],
        name=raw.get("name", raw["path"]),
        track=raw["track"],
        script=raw["script"],
        script_reason=raw.get("script_reason", ""),
        copy_of=raw.get("copy_of"),
        content_sha256=raw.get("content_sha256", ""),
        verdict=Verdict(raw["verdict"]),
        recommendation=raw["recommendation"],
        legality=LegalityReport(
            LegalityVerdict(legality["verdict"]),
            tuple(legality["classes_active"]),
            tuple(legality["classes_inactive"]),
            None if headline is None else HeadlineReport(**headline),
        ),
        findings=findings,
        passes=tuple(Pass(row["rule"], row["established"], tuple(row.get("classes", ()))) for row in raw["passes"]),
        facts=raw["facts"],
        evidence=Evidence(Claim(None, ""), Headline(None, "")),
        quotes=quotes,
    )


def _finding(raw: dict[str, Any], quotes: dict[tuple[str, int, int], str]) -> JudgedFinding:
    finding = Finding(
        rule=raw["rule"],
        slug=raw["slug"],
        ruling=Ruling(raw["ruling"]),
        effect=_EFFECT[raw["level"]],
        message=raw["message"],
        location=None if raw["location"] is None else _span(raw["location"], quotes),
        path=tuple(PathStep(row["event"], _span(row, quotes), row["function"], row["message"]) for row in raw["path"]),
        classes=tuple(raw.get("classes", ())),
        citations=tuple(Citation(**row) for row in raw["rulings"]),
        latent=raw.get("latent"),
    )
    waiver = raw.get("waiver")
    return JudgedFinding(finding, raw["fingerprint"], None if waiver is None else Waiver(**waiver))


def _span(raw: dict[str, Any], quotes: dict[tuple[str, int, int], str]) -> Span:
    span = Span(raw["file"], raw["layer"], raw["line"], raw.get("column", 1))
    if raw.get("source") is not None:
        quotes[span.file, span.layer, span.line] = raw["source"]
    return span
