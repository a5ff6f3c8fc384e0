"""SARIF 2.1.0 for code-scanning services: one result per finding, its evidence path as a code flow.

Lines of decoded layers are no lines of a file that a viewer can open, so a result in layer n > 0 points at line 1 of
the shipped file, and message and code flow name the decoded line. GitHub's limits are kept; what is cut is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from auditor.limits import DEFAULT_LIMITS, SarifLimits
from auditor.model.finding import Citation, PathStep
from auditor.model.report import AuditReport, JudgedFinding, SubmissionReport
from auditor.model.source import Span
from auditor.report.json import dump, level
from auditor.report.visible import visible

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RANK = {"error": 0, "warning": 1, "note": 2}


def render(report: AuditReport, limits: SarifLimits = DEFAULT_LIMITS.sarif) -> str:
    """Return a SARIF log as JSON text."""
    results = [
        _result(submission, judged, limits) for submission in report.submissions for judged in submission.findings
    ]
    results.sort(key=lambda result: _RANK[result["level"]])
    kept = results[: _fitting(results[: limits.results], limits)]
    rules = {judged.finding.rule: judged for submission in report.submissions for judged in submission.findings}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "pgolf",
                "semanticVersion": report.version,
                "rules": [_rule(judged) for _, judged in sorted(rules.items())],
            }
        },
        "automationDetails": {"id": f"pgolf/{report.edition}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report, len(results) - len(kept))],
        "results": kept,
        "properties": {"edition": report.edition, "verdicts": _verdicts(report.submissions)},
    }
    return dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _fitting(results: list[dict[str, Any]], limits: SarifLimits) -> int:
    """Return how many results, from the first on, stay below the cap on their bytes."""
    sizes = accumulate(len(dump(result, indent=None).encode("utf-8")) for result in results)
    return sum(1 for size in sizes if size <= limits.result_bytes)


def _verdicts(submissions: Iterable[SubmissionReport]) -> list[dict[str, str]]:
    return [{"path": one.path, "verdict": one.verdict.value} for one in submissions]


def _invocation(report: AuditReport, dropped: int) -> dict[str, Any]:
    notes = [{"level": "note", "message": {"text": f"{p.path}: {visible(p.message)}"}} for p in report.problems]
    if dropped:
        notes.append({"level": "warning", "message": {"text": f"{dropped} further results were left out"}})
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _rule(judged: JudgedFinding) -> dict[str, Any]:
    finding = judged.finding
    cited = "; ".join(_cite(citation) for citation in finding.citations)
    return {
        "id": finding.rule,
        "name": finding.slug,
        "shortDescription": {"text": finding.slug.replace("-", " ")},
        "help": {"text": f"pgolf rule {finding.rule}" + (f". Rulings: {cited}" if cited else "")},
        "properties": {"tags": ["parameter-golf"]},
    }


def _cite(citation: Citation) -> str:
    return f"{citation.source}, {citation.date} ({citation.status})"


def _result(report: SubmissionReport, judged: JudgedFinding, limits: SarifLimits) -> dict[str, Any]:
    finding = judged.finding
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": level(finding),
        "message": {"text": _message(judged, limits)},
        "locations": [_location(report, finding.location)],
        "partialFingerprints": {"pgolf/v1": judged.fingerprint},
        "properties": {"submission": report.path, "ruling": finding.ruling.value, "latent": finding.latent},
    }
    if finding.path:
        steps = finding.path[: limits.flow_steps]
        flow = [_flow_step(report, number, step, limits) for number, step in enumerate(steps, start=1)]
        result["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    if judged.waiver is not None:
        reason = visible(judged.waiver.reason, limits.message_chars)
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return result


def _message(judged: JudgedFinding, limits: SarifLimits) -> str:
    finding = judged.finding
    text = visible(finding.message, limits.message_chars)
    if finding.location is not None and finding.location.layer:
        text += f" (decoded layer {finding.location.layer}, line {finding.location.line})"
    if finding.latent is not None:
        text += f" (not active in this run; enabled by {visible(finding.latent, limits.message_chars)})"
    return text


def _location(report: SubmissionReport, span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"physicalLocation": {"artifactLocation": {"uri": _uri(report, report.script or "submission.json")}}}
    region: dict[str, Any] = {"startLine": 1 if span.layer else span.line}
    if not span.layer:
        region["startColumn"] = span.column
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(report, span.file)}, "region": region}}


def _flow_step(report: SubmissionReport, number: int, step: PathStep, limits: SarifLimits) -> dict[str, Any]:
    location = _location(report, step.span)
    where = f"decoded line {step.span.line}" if step.span.layer else f"line {step.span.line}"
    function = f" in {step.function}" if step.function else ""
    text = visible(f"{step.event}{function}, {where}: {step.message}", limits.message_chars)
    return {"location": {**location, "message": {"text": text}}, "executionOrder": number}


def _uri(report: SubmissionReport, file: str) -> str:
    """Return a relative URI that leaves the root under no circumstances."""
    parts = [part for part in f"{report.path}/{file}".replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return quote("/".join(parts) or ".", errors="backslashreplace")
