"""PG110: experts may not be chosen by looking at the loss of the realised token."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.choices import by_own_value
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the counted loss is a minimum or a choice over losses of the same token."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None:
        return
    for chosen in by_own_value(analysis.composition, analysis.trace.learned):
        yield ctx.violation(
            f"{analysis.headline.function} counts a loss that was chosen by its own value ({chosen.text} at line "
            f"{chosen.span.line})",
            chosen.span,
            steps_of([*chosen.parents[:2], chosen], analysis),
            classes=ctx.card.classes,
        )
        return
