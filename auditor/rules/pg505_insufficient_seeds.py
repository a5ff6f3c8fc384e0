"""PG505: how many distinct seeds the logs show, and whether file names agree with what is printed inside."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.manifest import read_manifest
from auditor.measure.select import observed_seed
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted, counted_logs, is_record, listing, number_of, place

_COPIES = 3


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Count observed seeds; a name alone is a claim."""
    logs = counted_logs(ctx)
    if not logs or not is_record(ctx):
        return
    wanted = int(number_of(ctx, "seeds"))
    observed = {log.file: observed_seed(log) for log in logs}
    renamed = [
        log
        for log in logs
        if log.runs == 1
        and log.seed_in_name is not None
        and observed[log.file] is not None
        and log.seed_in_name != observed[log.file]
        and _names_a_seed(log.seed_in_name)
    ]
    if renamed:
        first = renamed[0]
        seed = first.first("seed") or first.first("seed_inline")
        yield ctx.violation(
            "file names and logs name different seeds: "
            + listing(f"{log.file} prints seed {observed[log.file]}" for log in renamed),
            place(first.file, seed.line if seed else 1),
            effect=Effect.REVIEW,
        )
    yield _counted(ctx, observed, wanted)


def _counted(ctx: RuleContext, observed: dict[str, int | None], wanted: int) -> Finding | Pass:
    seeds = {seed if seed is not None else f"unknown in {file}" for file, seed in observed.items()}
    claimed = read_manifest(ctx.submission).seeds
    if len(seeds) >= wanted:
        unknown = sum(1 for seed in observed.values() if seed is None)
        said = f", {counted(unknown, 'log', 'print')} none" if unknown else ""
        return ctx.established(f"{len(seeds)} runs of different seeds are logged{said}{_copies(ctx)}")
    if len(claimed) >= wanted:
        return ctx.violation(
            f"submission.json claims {len(claimed)} seeds, the logs show {len(seeds)}", effect=Effect.REVIEW
        )
    return ctx.violation(
        f"the logs show {len(seeds)} seed{'s' if len(seeds) != 1 else ''}; leaderboard rows ask for {wanted} of "
        "the same configuration",
        effect=Effect.NOTE,
    )


def _copies(ctx: RuleContext) -> str:
    """Name the logs that are byte copies of others: none of them is a further run."""
    copies = [log for log in ctx.evidence.logs if log.duplicate_of]
    return "".join(f"; {log.file} is a copy of {log.duplicate_of} and not counted" for log in copies[:_COPIES])


def _names_a_seed(seed: int) -> bool:
    """Numbers up to 9 in a file name are run indices as often as seeds."""
    return seed > 9
