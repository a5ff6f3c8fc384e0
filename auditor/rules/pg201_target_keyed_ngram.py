"""PG201: the look-up key of a cached prediction may not mix in the token that is being predicted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.mixtures import mixture_path, mixtures


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a score is blended with a table entry that was found through its own target."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    for mixture in mixtures(analysis):
        if not mixture.target_keyed:
            continue
        read = mixture.target_keyed[0]
        yield ctx.violation(
            f"{analysis.headline.function} blends the score of each token with a table entry whose key mixes in the "
            f"realised token (look-up at line {read.span.line}, blend at line {mixture.blend.span.line})",
            read.span,
            mixture_path(read, mixture.blend, analysis),
            classes=ctx.card.classes,
        )
        return
