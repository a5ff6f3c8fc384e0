"""PG103: A token is scored once, with what was known before it."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.leaks import Way
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.leak_rules import findings

WHAT = "tokens are scored again with state that had seen them, and the second score is counted"


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the headline's scores came about in this way."""
    yield from findings(ctx, WHAT, Way.SECOND_PASS, Way.CACHE)
