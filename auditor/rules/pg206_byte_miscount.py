"""PG206: the bytes that the score is divided by must be the bytes of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.intake.manifest import number, read_manifest
from auditor.interp.sorts import BYTES, PIECES, WORDS
from auditor.measure.implied import FULL_SET_TOKENS, implied_bytes
from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.rules.byte_models import byte_model
from auditor.rules.context import RuleContext
from auditor.rules.coverage import known_to_go_on
from auditor.rules.evidence_path import steps_of
from auditor.rules.measured import number_of

LOW, HIGH = 1.035, 1.25
"""Ratios of known miscounts: 1.041 (byte fallback as 3) to 1.177 (space twice) and 1.334 (the mark of a word boundary
kept). 1.031 is the first data release. Above HIGH another text is likelier, unless the tokens are the full set's."""
EXACT = 0.001
"""Share by which stated numbers miss the full set where they are right; a known miscount of one set that would be right
for the tokens of another is 0.003 off."""


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the runs' numbers imply more bytes than the full set has, or the code counts marks."""
    found = next(_implied(ctx), None) or next(_marked(ctx), None) or next(_sized(ctx), None)
    if found is not None:
        yield found


def _marked(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where bytes of tokenizer pieces, with the word-boundary mark still in them, make the score."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None or _measured_right(ctx):
        return
    for piece in analysis.composition.pieces:
        yield ctx.violation(
            f"{analysis.headline.function} takes the bytes of tokenizer pieces for the bytes of the text (line "
            f"{piece.span.line}): a word boundary counts as the three bytes of its mark instead of one",
            piece.span,
            steps_of([piece], analysis),
            classes=ctx.card.classes,
        )


def _sized(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where the bytes that are added up are more than a sort of piece has."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None or _measured_right(ctx):
        return
    for summed in analysis.composition.sizes:
        counts = summed.info["sizes"]
        over = [i for i in range(len(BYTES)) if counts[i] > BYTES[i]]
        words = " and ".join(f"{WORDS[i]} ({PIECES[i]}) as {counts[i]:g} bytes instead of {BYTES[i]}" for i in over)
        yield ctx.violation(
            f"{analysis.headline.function} counts {words} (added up at line {summed.span.line})",
            summed.span,
            steps_of([summed], analysis),
            classes=ctx.card.classes,
        )


def _measured_right(ctx: RuleContext) -> bool:
    """Say whether the numbers of a run imply the bytes of the text: then the table is not what it was divided by."""
    ratios = [row["implied_over_canonical"] for row in _rows(ctx) if row.get("implied_over_canonical")]
    return any(2.0 - LOW <= ratio <= LOW for ratio in ratios) or _stated_right(ctx)


def _stated_right(ctx: RuleContext) -> bool:
    """Say whether the stated loss and bpb imply the bytes of the text for the tokens of a full set."""
    loss, canonical = number(read_manifest(ctx.submission).data.get("val_loss")), number_of(ctx, "val_bytes")
    found = (implied_bytes(loss, ctx.evidence.claim.bpb, tokens) for tokens in FULL_SET_TOKENS)
    return any(abs(total / canonical - 1.0) < EXACT for total in found if total is not None)


def _implied(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where every run's loss, token count and bpb imply more bytes than the full set has.

    They say so only of the claimed number, of a score of all tokens, and of a bpb that was made of the printed loss.
    """
    claimed = ctx.evidence.claim.bpb is None or ctx.evidence.headline.metric is not None
    rows = [row for row in _rows(ctx) if row.get("implied_over_canonical")] if claimed else []
    ratios = [row["implied_over_canonical"] for row in rows]
    large = [
        ratio > LOW and (ratio < HIGH or row["tokenizer"] is not None) for ratio, row in zip(ratios, rows, strict=True)
    ]
    if not large or not all(large) or _of_another_score(ctx):
        return
    row = rows[0]
    yield ctx.violation(
        f"loss, token count and bpb imply {row['implied_bytes']:,} bytes, {ratios[0] - 1:+.1%} of the full validation "
        f"set: the byte denominator is larger than the text ({len(rows)} runs agree)",
        Span(row["file"], 0, int(row["line"])),
        classes=ctx.card.classes,
    )


def _of_another_score(ctx: RuleContext) -> bool:
    """Say whether the loss beside the number is not what the number is made of, or perhaps not of all tokens."""
    analysis, program = ctx.analysis, ctx.program
    if analysis is None or program is None:
        return False
    return byte_model(analysis, program) is not None or not known_to_go_on(analysis)


def _rows(ctx: RuleContext) -> list[dict[str, Any]]:
    return list((ctx.evidence.facts.get("bpb") or {}).get("per_seed") or [])
