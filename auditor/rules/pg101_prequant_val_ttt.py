"""PG101: Validation tokens must be scored before anything learns from them."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.leaks import Way
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.leak_rules import findings

WHAT = "weights adapt to validation tokens before those tokens are scored"


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the headline's scores came about in this way."""
    yield from findings(ctx, WHAT, Way.BEFORE_SCORING)
