"""PG301: evaluation may not use the network."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a network call is made inside the call that scores the headline."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    for note in analysis.trace.notes:
        if note.kind is Kind.NET and analysis.headline.frame in note.frames:
            yield ctx.violation(
                f"{note.function} calls {note.text} at line {note.span.line} while scoring",
                note.span,
                steps_of([note], analysis),
                classes=ctx.card.classes,
            )
            return
