"""PG205: every token's loss belongs to the score, also where the token itself has no bytes."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the counted losses are those of tokens that have bytes in the side file."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None:
        return
    for kept in analysis.composition.dropped:
        place = kept.info["skipped"]
        yield ctx.violation(
            f"{analysis.headline.function} counts the loss of a token only where the token has bytes (the others are "
            f"left out at line {place.line}), so that what was predicted there is not paid for",
            place,
            steps_of([*kept.parents[:1], kept], analysis),
            classes=ctx.card.classes,
        )
        return
