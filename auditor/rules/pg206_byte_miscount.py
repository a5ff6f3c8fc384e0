"""PG206: the bytes that the score is divided by must be the bytes of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of

LOW, HIGH = 1.035, 1.25
"""Ratios of known miscounts: 1.041 (byte fallback as 3) to 1.175 (space twice). 1.031 is the first data release."""


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the runs' numbers imply more bytes than the full set has, or the code counts marks."""
    found = next(_implied(ctx), None) or next(_marked(ctx), None)
    if found is not None:
        yield found


def _marked(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where bytes of tokenizer pieces, with the word-boundary mark still in them, make the score."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None:
        return
    for piece in analysis.composition.pieces:
        yield ctx.violation(
            f"{analysis.headline.function} takes the bytes of tokenizer pieces for the bytes of the text (line "
            f"{piece.span.line}): a word boundary counts as the three bytes of its mark instead of one",
            piece.span,
            steps_of([piece], analysis),
            classes=ctx.card.classes,
        )


def _implied(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where every run's loss, token count and bpb imply more bytes than the full set has."""
    rows = [row for row in _rows(ctx) if row.get("implied_over_canonical")]
    if not rows:
        return
    ratios = [row["implied_over_canonical"] for row in rows]
    if not all(LOW < ratio < HIGH for ratio in ratios):
        return
    row = rows[0]
    yield ctx.violation(
        f"loss, token count and bpb imply {row['implied_bytes']:,} bytes, {ratios[0] - 1:+.1%} of the full validation "
        f"set: the byte denominator is larger than the text ({len(rows)} runs agree)",
        Span(row["file"], 0, int(row["line"])),
        classes=ctx.card.classes,
    )


def _rows(ctx: RuleContext) -> list[dict[str, Any]]:
    return list((ctx.evidence.facts.get("bpb") or {}).get("per_seed") or [])
