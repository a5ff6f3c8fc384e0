"""PG515: a claim below anything that stood up to a check asks for a review, whatever the other rules found."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.measured import number_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the claimed number is below the edition's bound."""
    claim, bound = ctx.evidence.claim, number_of(ctx, "plausible_bpb")
    if claim.bpb is None or claim.bpb >= bound:
        return
    known = claim.line is not None and ctx.submission.file(claim.source) is not None
    yield ctx.violation(
        f"the claimed {claim.bpb:g} is below {bound:g}: no number this low stood up to a check so far",
        Span(claim.source, 0, claim.line or 1) if known else None,
    )
