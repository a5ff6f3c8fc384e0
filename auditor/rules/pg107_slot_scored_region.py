"""PG107: A window's own parameters may not be fitted to what is scored."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.leaks import Way
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.leak_rules import findings

WHAT = "a parameter of the window itself is optimised on positions whose score is then counted"


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the headline's scores came about in this way."""
    yield from findings(ctx, WHAT, Way.WINDOW_PARAMETER)
