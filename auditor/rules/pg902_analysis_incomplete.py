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
    if analysis.headline is None:
        yield ctx.unproven("no printed number could be traced to scored validation tokens")
