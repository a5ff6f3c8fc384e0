"""PG504: evaluation time, single and total, with the work that the log places outside its timer."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.rows import headline_metric, world_size
from auditor.measure.timing import EvalTimes, eval_times
from auditor.model.finding import Effect, Finding, Pass, PathStep
from auditor.model.logs import LogFile, Metric
from auditor.rules.context import RuleContext
from auditor.rules.measured import claimed_files, counted, counted_logs, for_track, number_of, place, seed_name, step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Report the evaluation behind the claim above the budget, other slow evaluations, and sums as notes."""
    longest = 0.0
    quiet = True
    timed = 0
    for log in counted_logs(ctx):
        times = eval_times(log)
        found = list(_of_log(ctx, log, times))
        yield from found
        quiet = quiet and not found
        spent = _behind_claim(ctx, log, times)
        if spent is not None:
            timed, longest = timed + 1, max(longest, spent)
    if timed and quiet:
        yield ctx.established(
            f"the evaluation behind the claim takes {longest:.1f} s at most in {counted(timed, 'log')}"
        )


def _behind_claim(ctx: RuleContext, log: LogFile, times: EvalTimes) -> float | None:
    """Seconds behind the claimed number: the log's total, else the claimed metric's own time; plus what is outside."""
    outside = sum(float(item.value) for item in times.outside) / 1000.0
    if times.logged_total is not None:
        return float(times.logged_total.value) / 1000.0 + outside
    own = _own(log, ctx)
    return None if own is None or own.eval_ms is None else own.eval_ms / 1000.0 + outside


def _own(log: LogFile, ctx: RuleContext) -> Metric | None:
    metric = headline_metric(log, ctx.evidence.headline)
    if metric is None or metric.eval_ms is not None:
        return metric
    twins = [
        m for m in log.metrics if m.run == metric.run and m.eval_ms and abs((m.bpb or 0) - (metric.bpb or 0)) < 6e-5
    ]
    return twins[-1] if twins else metric


def _of_log(ctx: RuleContext, log: LogFile, times: EvalTimes) -> Iterator[Finding]:
    budget = number_of(ctx, "eval_finding_seconds")
    workers = world_size(log)
    binding = (workers is None or workers == int(number_of(ctx, "world_size"))) and log.file in claimed_files(ctx)
    spent = _behind_claim(ctx, log, times)
    own = _own(log, ctx)
    slow = times.longest
    if spent is not None and spent > budget:
        steps = _stages(times, own)
        outside = " including work outside its timer" if times.outside else ""
        gpus = "" if workers is None else f" on {workers} GPUs"
        yield ctx.violation(
            f"{seed_name(log)}: the evaluation behind the claim takes {spent:.1f} s{outside}{gpus}, the budget is "
            f"{budget:g} s",
            steps[0].span,
            tuple(steps),
            effect=for_track(ctx, Effect.ACTION) if binding else Effect.NOTE,
        )
    elif slow is not None and (slow.eval_ms or 0.0) / 1000.0 > budget:
        yield ctx.violation(
            f"{seed_name(log)}: {slow.name} takes {(slow.eval_ms or 0.0) / 1000.0:.1f} s, above {budget:g} s; it is "
            "not the claimed metric",
            place(slow.file, slow.line),
            effect=Effect.NOTE,
        )
    elif times.distinct_sum_ms is not None and times.distinct_sum_ms / 1000.0 > number_of(ctx, "eval_sum_note_seconds"):
        yield ctx.violation(
            f"{seed_name(log)}: all evaluations that are not diagnostics take {times.distinct_sum_ms / 1000.0:.1f} s "
            "together; which of them are behind the claim is for a reviewer to say",
            effect=Effect.NOTE,
        )
    for said in times.outside_untimed:
        yield ctx.unproven(
            f"{seed_name(log)}: the log speaks of work outside the evaluation timer without its duration",
            place(said.file, said.line),
            effect=Effect.NOTE,
        )


def _stages(times: EvalTimes, own: Metric | None) -> list[PathStep]:
    """Name the lines that were added up."""
    steps = [step(item.file, item.line, item.raw, "outside the evaluation timer") for item in times.outside]
    total = times.logged_total
    if total is not None:
        return [step(total.file, total.line, total.raw, "the log's total"), *steps]
    if own is not None:
        return [step(own.file, own.line, own.raw, f"evaluation of {own.name}"), *steps]
    return steps
