"""PG102: Only the first pass over a token may be counted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.leaks import Way
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.leak_rules import findings

WHAT = "the counted score comes from an epoch after the weights had learned from the same tokens"


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the headline's scores came about in this way."""
    yield from findings(ctx, WHAT, Way.LATER_EPOCH)
