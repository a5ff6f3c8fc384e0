"""PG108: a window's own parameter is optimised on positions scored earlier only (unruled)."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.loose_parameters import loose_learning


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation (disputed) where a parameter that starts afresh is fitted in the scoring iteration."""
    yield from loose_learning(ctx, lasting=False, what="a parameter of the window is optimised on context")
