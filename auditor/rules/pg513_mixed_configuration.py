"""PG513: whether the runs behind one claim were runs of one configuration."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.settings import BLOCK_MIN, differing_settings
from auditor.measure.sizes import logged_code
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import claimed_files, counted_logs, for_track, listing, place

_MEANS = ("mean", "mean by seed", "mean of some logs")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare the printed settings and code sizes of the runs; a claimed mean needs one configuration."""
    behind = claimed_files(ctx)
    logs = [log for log in counted_logs(ctx) if log.file in behind]
    if len(logs) < 2:
        return
    found = list(differing_settings(logs))
    if found:
        first = found[0]
        yield ctx.violation(
            "the runs differ in settings other than the seed: "
            + listing(
                f"{item.name} ({item.first[1]} in {item.first[0]}, {item.second[1]} in {item.second[0]})"
                for item in found
            ),
            place(first.first[0], first.first[2]),
            effect=for_track(ctx, Effect.REVIEW) if ctx.evidence.headline.level in _MEANS else Effect.NOTE,
        )
    elif sum(1 for log in logs if len(log.settings_block) >= BLOCK_MIN) > 1:
        yield ctx.established("the printed settings of the runs agree, seeds and paths apart")
    sizes = {size: log.file for log in logs if (size := logged_code(log)) is not None}
    if len(sizes) > 1:
        yield ctx.violation(
            "the runs print different code sizes: "
            + listing(f"{size:,} ({file})" for size, file in sorted(sizes.items())),
            effect=Effect.NOTE,
        )
