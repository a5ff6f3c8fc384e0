"""PG203: whether or how strongly a hint acts may not depend on the realised token."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of
from auditor.rules.mixtures import gates


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a property of the realised token switches or scales what is added to its score."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    for blend, read in gates(analysis):
        yield ctx.violation(
            f"{analysis.headline.function} lets a property of the realised token act on its own score (looked up at "
            f"line {read.span.line}, applied at line {blend.span.line})",
            read.span,
            steps_of([read, blend], analysis),
            classes=ctx.card.classes,
        )
        return
