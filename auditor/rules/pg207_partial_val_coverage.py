"""PG207: a score over part of the validation set is not comparable with one over all of it."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext

FULL = 0.95
"""Share of the full set's bytes below which a run is called partial; window tails lose under 0.1 %."""


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where every run's numbers imply fewer bytes than the full set has."""
    rows = list((ctx.evidence.facts.get("bpb") or {}).get("per_seed") or [])
    rows = [row for row in rows if row.get("implied_over_canonical")]
    if rows and all(row["implied_over_canonical"] < FULL for row in rows):
        row = rows[0]
        yield ctx.violation(
            f"the score covers {row['implied_bytes']:,} bytes, {row['implied_over_canonical']:.1%} of the full "
            f"validation set ({row['val_tokens']:,} tokens)",
            Span(row["file"], 0, int(row["line"])),
            classes=ctx.card.classes,
        )
