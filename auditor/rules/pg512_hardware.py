"""PG512: how many GPUs the record run used, and which, as far as its logs print it."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.rows import text_fact, world_size
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted, counted_logs, is_record, listing, number_of, place


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Report record runs on another number of GPUs (review) or another model (note); unknown is not reported."""
    if not is_record(ctx):
        return
    wanted = int(number_of(ctx, "world_size"))
    sized = [(log, size) for log in counted_logs(ctx) if (size := world_size(log)) is not None]
    other = [(log, size) for log, size in sized if size != wanted]
    if other:
        log, size = other[0]
        line = log.first("world_size")
        yield ctx.violation(
            f"{len(other)} of {len(sized)} runs use another number of processes than {wanted}: "
            + listing(f"{item.file} {count}" for item, count in other),
            place(log.file, line.line if line else 1),
            effect=Effect.REVIEW if len(other) == len(sized) else Effect.NOTE,
        )
    named = [(log, gpu) for log in counted_logs(ctx) if (gpu := text_fact(log, "gpu")) is not None]
    foreign = [(log, gpu) for log, gpu in named if "H100" not in gpu]
    if foreign:
        log, gpu = foreign[0]
        line = log.first("gpu")
        yield ctx.violation(
            f"{log.file} names {gpu}; records are measured on H100",
            place(log.file, line.line if line else 1),
            effect=Effect.NOTE,
        )
    if sized and not other and not foreign:
        model = f" ({named[0][1]})" if named else "; the GPU model is not printed"
        yield ctx.established(f"{counted(len(sized), 'log', 'print')} {wanted} processes{model}")
