"""PG203: whether or how strongly a hint acts may not depend on the realised token."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of
from auditor.rules.mixtures import gates, mixtures


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the weight of the model's own score was looked up by the realised token."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None or any(m.target_keyed for m in mixtures(analysis)):
        return
    for blend, read in gates(analysis):
        yield ctx.violation(
            f"{analysis.headline.function} weighs the score of each token by what was looked up for the token itself "
            f"(look-up at line {read.span.line}, weight applied at line {blend.span.line}), so that the mixture does "
            "not sum to one over the vocabulary",
            read.span,
            steps_of([read, blend], analysis),
            classes=ctx.card.classes,
        )
        return
