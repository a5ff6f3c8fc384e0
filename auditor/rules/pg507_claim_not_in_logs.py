"""PG507: whether a log carries the claimed number, under which metric name and by which rule."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Effect, Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted_logs, for_track, listing, place

_AS_CLAIMED = ("mean", "single", "mean by seed")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Say how the claim is met; a number that is in no log, or only in a diagnostic one, asks for review."""
    headline, claim = ctx.evidence.headline, ctx.evidence.claim
    if claim.bpb is None or not counted_logs(ctx):
        return
    where = _claimed_at(ctx)
    if headline.metric is None:
        yield ctx.violation(f"the claimed {claim.bpb:g}: {headline.how}", where, effect=for_track(ctx, Effect.REVIEW))
        return
    metric = headline.metric
    spot = place(metric.file, metric.line)
    if headline.level == "training line":
        yield ctx.violation(
            f"the claimed {claim.bpb:g} is only a validation during training, before quantisation "
            f"({metric.file}, step line)",
            spot,
            effect=for_track(ctx, Effect.REVIEW),
        )
    elif metric.diagnostic:
        yield ctx.violation(
            f"the claimed {claim.bpb:g} is only met by {metric.name}, which calls itself a diagnostic: {headline.how}",
            spot,
            effect=for_track(ctx, Effect.REVIEW),
        )
    elif headline.level == "best seed":
        yield ctx.violation(
            f"the claimed {claim.bpb:g} is the best run, not the mean: {headline.how}",
            spot,
            effect=Effect.NOTE,
        )
    elif headline.level in _AS_CLAIMED:
        also = f"; {listing(headline.alternatives)} would meet it as well" if headline.alternatives else ""
        yield ctx.established(f"the claimed {claim.bpb:g} is in the logs: {headline.how}{also}")
    else:
        yield ctx.violation(f"the claimed {claim.bpb:g} is met by {headline.how}", spot, effect=Effect.NOTE)


def _claimed_at(ctx: RuleContext) -> Span | None:
    claim = ctx.evidence.claim
    if claim.line is None or ctx.submission.file(claim.source) is None:
        return None
    return Span(claim.source, 0, claim.line)
