"""PG901: a value behind the headline went through a call that the analysis does not know."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield UNPROVEN where an unmodelled call lies between the losses and the number."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None:
        return
    for node in analysis.composition.others:
        if node.kind is Kind.UNMODELLED:
            yield ctx.unproven(
                f"the number went through {node.text} (line {node.span.line}), which the analysis does not know",
                node.span,
                steps_of([node], analysis),
            )
            return
