"""PG904: what native code does to the headline number cannot be followed."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield UNPROVEN where a native call is handed validation tokens or losses."""
    analysis = ctx.analysis
    if analysis is None:
        return
    for note in analysis.trace.notes:
        if note.kind is Kind.NATIVE and any(parent.region or parent.kind is Kind.LOSS for parent in note.parents):
            yield ctx.unproven(
                f"{note.function} hands validation data to native code ({note.text} at line {note.span.line}), which "
                "was not interpreted",
                note.span,
                steps_of([note], analysis),
            )
            return
