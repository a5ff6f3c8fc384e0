"""PG109: a logit bias that lasts across windows is trained during evaluation (unruled)."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.loose_parameters import loose_learning


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation (disputed) where a bias made before the scoring loop learns from scored positions."""
    yield from loose_learning(ctx, lasting=True, what="a bias that lasts across windows is trained during evaluation")
