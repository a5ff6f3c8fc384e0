"""PG508: relations among the numbers of the logs that do not hold."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.consistency import Inconsistency, inconsistencies
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted, counted_logs, for_track, listing, step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Report every kind of relation once, with all places where it fails."""
    logs = counted_logs(ctx)
    if not logs:
        return
    by_kind: dict[str, list[Inconsistency]] = {}
    for found in inconsistencies(logs, ctx.evidence.headline):
        by_kind.setdefault(found.kind, []).append(found)
    for found_of_kind in by_kind.values():
        yield _finding(ctx, found_of_kind)
    if not by_kind:
        yield ctx.established(
            f"step times, totals, ratios and values of {counted(len(logs), 'log')} are mutually consistent"
        )


def _finding(ctx: RuleContext, found: list[Inconsistency]) -> Finding:
    first = found[0]
    strong = any(item.strong for item in found)
    others = [item.file for item in found[1:] if item.file != first.file]
    also = f" (also in {listing(others)})" if others else ""
    cause = "; an edit, a transcription, a resumed run or a changed timer would explain it" if strong else ""
    steps = tuple(step(item.file, item.line, item.raw, item.message) for item in found[:8])
    return ctx.violation(
        f"numbers are not mutually consistent: {first.file}: {first.message}{also}{cause}",
        steps[0].span,
        steps,
        effect=for_track(ctx, Effect.REVIEW) if strong else Effect.NOTE,
    )
