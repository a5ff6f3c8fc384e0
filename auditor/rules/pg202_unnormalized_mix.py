"""PG202: a mixture that is evaluated for the realised token alone must be of distributions that sum to one."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.doubt import surely
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of
from auditor.rules.mixtures import mixture_path, mixtures, unplaced


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a score is a power of a probability, or blended with a mass that ignores its token."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    power = next(_powers(ctx, analysis), None)
    if power is not None:
        yield power
        return
    found = mixtures(analysis)
    blind = next((mixture for mixture in found if mixture.blind), None)
    if blind is not None:
        yield ctx.violation(
            f"{analysis.headline.function} mixes the loss of each realised token with a component that is the same for "
            f"any token (line {blind.blend.span.line}), so that the mixture does not sum to one over the vocabulary",
            blind.blend.span,
            steps_of([blind.blend], analysis),
            classes=ctx.card.classes,
        )
        return
    if any(mixture.target_keyed or mixture.exact for mixture in found):
        return
    unknown = unplaced(analysis)
    if unknown is not None and not found:
        yield ctx.unproven(
            f"{analysis.headline.function} blends scores with looked-up values (line {unknown.span.line}); whether "
            "these are of the realised token could not be determined",
            unknown.span,
            steps_of([unknown], analysis),
        )
        return
    for mixture in found:
        read = mixture.context[0]
        yield ctx.violation(
            f"{analysis.headline.function} blends the score of each realised token with a looked-up value that does "
            f"not depend on that token (look-up at line {read.span.line}, blend at line {mixture.blend.span.line}), so "
            "that the mixture does not sum to one over the vocabulary",
            read.span,
            mixture_path(read, mixture.blend, analysis),
            classes=ctx.card.classes,
        )
        return


def _powers(ctx: RuleContext, analysis: Analysis) -> Iterator[Finding]:
    """Yield what is said of losses that were multiplied with a number below one before they were added up."""
    if analysis.composition is None or analysis.headline is None:
        return
    scores = [score.loss for score in analysis.composition.scores]
    for power in analysis.composition.scaled:
        factor = power.info["scaled"]
        message = (
            f"{analysis.headline.function} multiplies the loss of each token with {factor:g} before it is added up "
            f"(line {power.span.line}): the probabilities that this stands for, p to the power of {factor:g}, sum to "
            "more than one over the vocabulary"
        )
        path = steps_of([*power.parents[:1], power], analysis)
        if surely(power, scores):
            yield ctx.violation(message, power.span, path, classes=ctx.card.classes)
        else:
            yield ctx.unproven("if a condition holds that could not be decided, " + message, power.span, path)
