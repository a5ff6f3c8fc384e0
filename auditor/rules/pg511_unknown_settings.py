"""PG511: settings that a log prints and the shipped code nowhere names."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.settings import BLOCK_MIN, UnknownSettings, unknown_settings
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted_logs, for_track, listing, place

_OTHER_PROGRAM = 0.3
"""Share of unknown settings above which a log is not from this script (measured: 4 of 288 folders)."""


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Report unknown settings that are on, and logs that mostly speak of another program."""
    if ctx.program is None or ctx.program.main.unpacked.opaque:
        return
    found = [row for log in counted_logs(ctx) if (row := unknown_settings(log, ctx.program)) is not None]
    foreign = [row for row in found if row.share > _OTHER_PROGRAM]
    if foreign:
        yield _foreign(ctx, foreign)
        return
    active = [row for row in found if row.active]
    if active:
        first = active[0]
        name = first.active[0]
        _, line = first.log.hyperparameters[name]
        files = listing(dict.fromkeys(row.log.file for row in active))
        yield ctx.violation(
            f"{files} print settings that are on and that the shipped code does not name: "
            + listing(dict.fromkeys(f"{key}={row.log.hyperparameters[key][0]}" for row in active for key in row.active))
            + "; the code that ran had them",
            place(first.log.file, line),
            effect=Effect.NOTE,
        )
    elif found:
        most = max(len(row.log.settings_block) for row in found)
        yield ctx.established(f"every active setting of the printed blocks (up to {most}) is named in the shipped code")


def _foreign(ctx: RuleContext, rows: list[UnknownSettings]) -> Finding:
    first = rows[0]
    unknown = len(first.active) + len(first.inactive)
    return ctx.violation(
        f"{first.log.file} prints {len(first.log.settings_block)} settings of which the shipped code does not name "
        f"{unknown} ({listing((*first.active, *first.inactive))}): the log may come from another program "
        f"(blocks of at least {BLOCK_MIN} settings are compared)",
        place(first.log.file, 1),
        effect=for_track(ctx, Effect.REVIEW),
    )
