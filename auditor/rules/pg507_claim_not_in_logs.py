"""PG507: whether a log carries the claimed number, under which metric name and by which rule."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.manifest import read_manifest
from auditor.intake.readme import seed_table
from auditor.measure.headline import half_unit
from auditor.measure.select import observed_seed
from auditor.model.finding import Effect, Finding, Pass
from auditor.model.logs import LogFile
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted, counted_logs, for_track, listing, place

_SCORE = (0.1, 5.0)
"""Numbers of a README row that can be a val_bpb or a loss; others are times and percentages."""
_TOLERANCE = 1.01e-4
_AS_CLAIMED = ("mean", "single", "mean by seed")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Say how the claim is met; a number that is in no log, or only in a diagnostic one, asks for review."""
    headline, claim = ctx.evidence.headline, ctx.evidence.claim
    if claim.bpb is None or not counted_logs(ctx):
        return
    yield from _per_seed(ctx)
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


def _per_seed(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare the values that submission.json and the README state per seed with that seed's log."""
    by_seed: dict[int, list[LogFile]] = {}
    for log in counted_logs(ctx):
        seed = observed_seed(log)
        if seed is not None:
            by_seed.setdefault(seed, []).append(log)
    stated: list[tuple[int, tuple[float, ...], str]] = [
        (seed, (bpb,), "submission.json") for seed, bpb in read_manifest(ctx.submission).seeds.items() if bpb
    ]
    for cell in seed_table(ctx.submission):
        scores = tuple(value for value in cell.values if _SCORE[0] <= value <= _SCORE[1])
        if scores:
            stated.append((cell.seed, scores, f"README.md:{cell.line}"))
    agreed = 0
    for seed, values, source in stated:
        logs = by_seed.get(seed, [])
        if not any(log.metrics for log in logs):
            continue
        if any(_logged(log, value) for log in logs for value in values):
            agreed += 1
            continue
        shown = listing(f"{value:g}" for value in values)
        yield ctx.violation(
            f"{source} states {shown} for seed {seed}; {logs[0].file} holds none of it",
            place(logs[0].file, logs[0].metrics[-1].line if logs[0].metrics else 1),
            effect=Effect.NOTE,
        )
    if agreed:
        held = counted(agreed, "per-seed value")
        verb = "is" if agreed == 1 else "are"
        yield ctx.established(f"{held} of submission.json and README {verb} in the logs of their seeds")


def _logged(log: LogFile, value: float) -> bool:
    tolerance = max(_TOLERANCE, half_unit(value))
    known = [metric.bpb for metric in log.metrics] + [step.val_bpb for step in log.steps]
    known += [metric.val_loss for metric in log.metrics]
    return any(number is not None and abs(number - value) <= tolerance for number in known)


def _claimed_at(ctx: RuleContext) -> Span | None:
    claim = ctx.evidence.claim
    if claim.line is None or ctx.submission.file(claim.source) is None:
        return None
    return Span(claim.source, 0, claim.line)
