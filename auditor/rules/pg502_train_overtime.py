"""PG502: training time by the log's own clock, against the budget."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.timing import TrainTime, train_time
from auditor.model.finding import Effect, Finding, Pass
from auditor.model.logs import LogFile
from auditor.rules.context import RuleContext
from auditor.rules.measured import claimed_files, counted, counted_logs, for_track, number_of, place, seed_name, step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Report training above the thresholds; one step of overshoot is inherent to a loop that checks its clock."""
    note, finding = number_of(ctx, "train_note_seconds"), number_of(ctx, "train_finding_seconds")
    budget = number_of(ctx, "train_seconds")
    timed = [(log, time) for log in counted_logs(ctx) if (time := train_time(log)) is not None]
    if not timed:
        return
    behind = claimed_files(ctx)
    over = [(log, time) for log, time in timed if _surely(time) > finding and log.file in behind]
    slightly = [(log, time) for log, time in timed if (log, time) not in over and time.ms / 1000.0 > note]
    if over:
        worst = max(over, key=lambda item: item[1].ms)
        steps = tuple(step(log.file, time.line, time.raw, _said(log, time)) for log, time in over)
        yield ctx.violation(
            f"{len(over)} of {len(timed)} runs train longer than {finding:g} s; the longest takes {_shown(worst[1])}, "
            f"{seed_name(worst[0])}, against a budget of {budget:g} s",
            steps[0].span,
            steps,
            effect=for_track(ctx, Effect.ACTION),
        )
    for log, time in slightly:
        yield ctx.violation(
            f"{_said(log, time)}: above {budget:g} s by more than one step of overshoot",
            place(log.file, time.line),
            effect=Effect.NOTE,
        )
    if not over and not slightly:
        longest = max(timed, key=lambda item: item[1].ms)
        yield ctx.established(f"the longest of {counted(len(timed), 'run')} trains {_shown(longest[1])}")


def _surely(time: TrainTime) -> float:
    """Seconds that were spent at least, given how precisely the log prints them."""
    return (time.ms - time.precision_ms) / 1000.0


def _said(log: LogFile, time: TrainTime) -> str:
    source = " (a budget that the log names, not a measured time)" if time.source == "budget" else ""
    return f"{seed_name(log)} trains {_shown(time)}{source}"


def _shown(time: TrainTime) -> str:
    rough = f" ± {time.precision_ms / 1000.0:.0f}" if time.precision_ms >= 500 else ""
    return f"{time.ms / 1000.0:.1f}{rough} s"
