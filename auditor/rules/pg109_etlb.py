"""PG109: a logit bias is fitted during evaluation, on context, before each score (unruled)."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.loose_parameters import loose_learning


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation (disputed) where a warm-started parameter is fitted in the iteration that scores with it."""
    yield from loose_learning(
        ctx, lasting=True, what="a warm-started bias is fitted to a window's context before the window is scored"
    )
