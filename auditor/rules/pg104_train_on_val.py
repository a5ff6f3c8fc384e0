"""PG104: Training reads training data only."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.datalinks import validation_as_training
from auditor.interp.leaks import Way
from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.leak_rules import findings

WHAT = "the training loop learns from validation shards"


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the headline's scores came about in this way."""
    yield from findings(ctx, WHAT, Way.TRAINING_LOOP)
    for link in validation_as_training(ctx.submission):
        yield ctx.violation(
            f"the stated setup gives a validation shard the name of a training shard ({link.text[:160]}): {WHAT}",
            Span(link.file, 0, link.line),
            classes=ctx.card.classes,
        )
        return
