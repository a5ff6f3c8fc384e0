"""PG501: whether there are logs that show the claimed run from its training to its last metric."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted, counted_logs, for_track, listing, place


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Ask for logs with final metrics; excerpts and truncated logs are named."""
    logs = counted_logs(ctx)
    empty = [log.file for log in ctx.evidence.logs if not log.lines]
    if not logs:
        said = f"; {listing(empty)} are empty" if empty else ""
        yield ctx.violation(
            f"there is no training or evaluation log{said}: nothing here can be checked against a run",
            effect=for_track(ctx, Effect.REVIEW),
        )
        return
    if empty:
        yield ctx.violation(f"{listing(empty)}: empty", effect=Effect.NOTE)
    for log in logs:
        for problem in log.problems:
            yield ctx.violation(f"{log.file}: {problem}", place(log.file, 1), effect=Effect.NOTE)
    cut = [log for log in logs if not log.metrics and log.steps]
    if len(cut) == len(logs):
        yield ctx.violation(
            f"no log reaches a final metric; {cut[0].file} ends with training",
            place(cut[0].file, cut[0].lines[-1].number if cut[0].lines else 1),
            effect=for_track(ctx, Effect.REVIEW),
        )
        return
    if cut:
        yield ctx.violation(f"{listing(log.file for log in cut)} end before a final metric", effect=Effect.NOTE)
    excerpts = [log for log in logs if log.family == "excerpt" and log.first("peak_mib") is None]
    if excerpts:
        yield ctx.violation(
            f"{listing(log.file for log in excerpts)} hold metrics but not the training that led to them: "
            "an excerpt, or an evaluation alone",
            effect=Effect.NOTE,
        )
    whole = len(logs) - len(cut) - len(excerpts)
    if whole:
        yield ctx.established(f"{counted(whole, 'log', 'run')} from training to a final metric")
