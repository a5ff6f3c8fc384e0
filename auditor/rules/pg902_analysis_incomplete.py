"""PG902: what the analysis could not follow to its end is never a pass."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield UNPROVEN where the interpreter stopped early or found no score behind the number."""
    analysis = ctx.analysis
    if analysis is None:
        return
    for reason in analysis.incomplete:
        yield ctx.unproven(f"the analysis is incomplete: {reason}")
    scores = analysis.composition.scores if analysis.composition is not None else ()
    if not analysis.leaks and any(analysis.trace.learned[score.loss.index].trained_unplaced for score in scores):
        yield ctx.unproven(
            "the scores depend on weights that learned from validation tokens at positions that could not be determined"
        )
    if analysis.headline is None:
        yield ctx.unproven("no printed number could be traced to scored validation tokens")
