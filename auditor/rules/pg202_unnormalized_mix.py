"""PG202: a mixture that is evaluated for the realised token alone must be of distributions that sum to one."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of
from auditor.rules.mixtures import mixture_path, mixtures, unplaced


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a score is blended with a looked-up mass that is the same for any realised token."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
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
