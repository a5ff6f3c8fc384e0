"""A smoke test as the line that reviewers post, with what a reader needs below it, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from auditor.model.smoke import Judgement, SmokeFacts, SmokeLevel, SmokeOutcome, SmokeReport
from auditor.report.visible import visible

_SHOWN = 300
_STATUS = {
    SmokeOutcome.PASS: "SMOKE_TEST_PASS",
    SmokeOutcome.FAIL: "IMPORT_FAIL",
    SmokeOutcome.INCONCLUSIVE: "SMOKE_INCONCLUSIVE",
}


def line(report: SmokeReport) -> str:
    """Return the one-line form: `import OK in 0.05s, dim=512, layers=11, vocab=1024, code=93038 B, SMOKE_TEST_PASS`."""
    facts, judgement = report.facts, report.judgement
    parts = [_head(report)]
    for name in ("dim", "layers", "vocab"):
        value = getattr(facts, name)
        parts += [f"{name}={value}"] if value is not None else []
    parts += [f"params={facts.parameters}"] if facts.parameters is not None else []
    parts += [f"loss={facts.loss:.4f}"] if facts.loss is not None else []
    parts.append(f"code={facts.code_bytes} B")
    if judgement.outcome is SmokeOutcome.PASS and report.level is SmokeLevel.PARSE:
        return ", ".join([*parts, "PARSE_PASS"])
    return ", ".join([*parts, _STATUS[judgement.outcome]])


def _head(report: SmokeReport) -> str:
    if report.judgement.outcome is not SmokeOutcome.PASS:
        return f"import not OK ({visible(report.judgement.reason, _SHOWN)})"
    if report.level is SmokeLevel.PARSE:
        return "parse OK"
    seconds = report.facts.import_seconds
    return "import OK" if seconds is None else f"import OK in {seconds:.2f}s"


def render_text(reports: Sequence[SmokeReport]) -> str:
    """Return the line of every report, each followed by its reasons and facts."""
    blocks = []
    for report in reports:
        name = visible(report.path if report.script is None else f"{report.path}: {report.script}", _SHOWN)
        blocks.append("\n".join([name, f"  {line(report)}", *(f"    {text}" for text in _details(report))]))
    return "\n\n".join(blocks) + "\n" if blocks else "no submission found: nothing here looks like a record folder\n"


def _details(report: SmokeReport) -> Iterator[str]:
    facts = report.facts
    yield from _judgement("reason", report.judgement, report.source_line)
    if report.shipped is not None:
        shipped = report.shipped
        yield f"shim as shipped: {shipped.outcome.value}" + (f" ({visible(shipped.reason)})" if shipped.reason else "")
        if shipped.exception:
            yield f"  {visible(shipped.exception, _SHOWN)}"
    yield from (f"note: {visible(note, _SHOWN)}" for note in report.notes)
    if facts.parameters_problem:
        yield f"model: n/a ({visible(facts.parameters_problem, _SHOWN)})"
    if facts.loss_problem:
        yield f"forward: n/a ({visible(facts.loss_problem, _SHOWN)})"
    if facts.stubs:
        yield f"stand-ins: {visible(', '.join(facts.stubs), _SHOWN)}"
    yield from (f"tried: {visible(item, _SHOWN)}" for item in facts.tried[:10])
    if facts.sandbox is not None:
        yield _run(facts)


def _judgement(title: str, judgement: Judgement, source_line: str) -> Iterator[str]:
    if judgement.exception:
        yield f"{title}: {visible(judgement.exception, _SHOWN)}"
    where = judgement.location
    if where is not None:
        layer = f" (decoded, layer {where.layer})" if where.layer else ""
        yield f"at {visible(where.file)}{layer} line {where.line}: {visible(source_line.strip(), 200)}"


def _run(facts: SmokeFacts) -> str:
    peak = "?" if facts.peak_bytes is None else f"{facts.peak_bytes / 1e6:.0f} MB"
    torch = f", torch {visible(facts.torch, 40)} loaded first in {facts.torch_seconds or 0:.1f}s" if facts.torch else ""
    return f"sandbox: {facts.sandbox}; Python {facts.python}{torch}; {facts.wall_seconds or 0:.1f}s, peak {peak}"


def render_json(reports: Sequence[SmokeReport]) -> str:
    """Return the reports as one JSON object; keys in a fixed order."""
    return json.dumps({"schema_version": 1, "smoke": [smoke_facts(report) for report in reports]}, indent=2) + "\n"


def audit_facts(report: SmokeReport) -> dict[str, Any]:
    """Return what an audit's report keeps: the line, the lines below it, and the facts but for the list of settings."""
    data = smoke_facts(report)
    del data["path"], data["script"], data["facts"]["hyperparameters"]
    return data | {"details": list(_details(report))}


def smoke_facts(report: SmokeReport) -> dict[str, Any]:
    """Return one report as JSON-ready data."""
    data = asdict(report)
    data["level"] = report.level.name.lower()
    for key in ("judgement", "shipped"):
        if data[key] is not None:
            data[key]["outcome"] = data[key]["outcome"].value
    data["line"] = line(report)
    return data
