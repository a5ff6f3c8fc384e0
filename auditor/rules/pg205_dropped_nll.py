"""PG205: every token's loss belongs to the score, also where the token has no bytes or stands in a list."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.doubt import surely
from auditor.interp.struck import LOSS
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where losses are left out whose bytes are counted: by their bytes, or by a list of tokens."""
    if ctx.analysis is None or ctx.analysis.composition is None or ctx.analysis.headline is None:
        return
    found = next(_skipped(ctx, ctx.analysis), None) or next(_struck(ctx, ctx.analysis), None)
    if found is not None:
        yield found


def _skipped(ctx: RuleContext, analysis: Analysis) -> Iterator[Finding]:
    assert analysis.composition is not None and analysis.headline is not None
    for kept in analysis.composition.dropped:
        place = kept.info["skipped"]
        yield ctx.violation(
            f"{analysis.headline.function} counts the loss of a token only where the token has bytes (the others are "
            f"left out at line {place.line}), so that what was predicted there is not paid for",
            place,
            steps_of([*kept.parents[:1], kept], analysis),
            classes=ctx.card.classes,
        )


def _struck(ctx: RuleContext, analysis: Analysis) -> Iterator[Finding]:
    """Yield what is said of losses that a list of tokens strikes out; with their bytes a part would be left out."""
    assert analysis.composition is not None and analysis.headline is not None
    struck = analysis.composition.struck
    losses = [node for node in struck if node.info["struck"] == LOSS]
    if len(losses) < len(struck):
        return
    for node in losses:
        match = node.parents[-1]
        message = (
            f"{analysis.headline.function} strikes out the loss of every token that it finds in a list of tokens (line "
            f"{node.span.line}, compared at line {match.span.line}) and counts its bytes, so that what the list holds "
            "is not paid for"
        )
        path = steps_of([match, node], analysis)
        if surely(node, (score.loss for score in analysis.composition.scores)):
            yield ctx.violation(message, node.span, path, classes=ctx.card.classes)
        else:
            yield ctx.unproven("if a condition holds that could not be decided, " + message, node.span, path)
