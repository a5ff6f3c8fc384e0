"""PG207: a score over part of the validation set is not comparable with one over all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.measure.facts import val_tokens
from auditor.measure.rows import headline_metric
from auditor.model.finding import Finding, Pass
from auditor.model.logs import LogFile
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of
from auditor.rules.extent import SHARDS, partial
from auditor.rules.measured import counted_logs, number_of, place, step

FULL = 0.95
"""Share of the full set's bytes below which a run is called partial; window tails lose under 0.1 %."""
SAME_TEXT = 0.1
"""Difference between the bytes a token of a part and of the whole set: the first 3 million tokens have 2 % fewer."""
NEAR = 2
"""Lines between a metric and the line that says of how many tokens it is."""
_BYTES = re.compile(r"(?<![\w.])bytes\s*[=:]\s*([\d,_]+)(?![\w.])")
_TOKENS = re.compile(r"(?<![\w.])(?:\w*tokens?|subset)\s*[=:]\s*([\d,_]+)(?![\w.])")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the runs' numbers, the claimed lines themselves or the scoring loop show a part."""
    found = next(_implied(ctx), None) or next(_logged(ctx), None) or next(_followed(ctx), None)
    if found is not None:
        yield found


def _implied(ctx: RuleContext) -> Iterator[Finding]:
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


def _followed(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where the loop behind the number ends, or begins, far inside the stream."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None or analysis.incomplete:
        return
    if analysis.rivals and not analysis.headline.certain:
        return
    found = partial(analysis)
    if found is not None:
        yield ctx.violation(
            f"{analysis.headline.function} scores the tokens from {found.first:,} to {found.stop - 1:,} of a stream of "
            f"{found.whole:,} (line {found.score.span.line})",
            found.score.span,
            steps_of([found.score], analysis),
            classes=ctx.card.classes,
        )


def _logged(ctx: RuleContext) -> Iterator[Finding]:
    """Yield a violation where every claimed line says of how many bytes it is, and they are a part."""
    canonical = number_of(ctx, "val_bytes")
    logs = counted_logs(ctx)
    said = [item for log in logs if (item := _bytes_said(ctx, log, canonical)) is not None]
    if not said or len(said) < len(logs):
        return
    log, line, raw, scored = said[0]
    yield ctx.violation(
        f"the claimed line says that it is of {scored:,} bytes, {scored / canonical:.1%} of the full validation set",
        place(log.file, line),
        (step(log.file, line, raw, "the claimed metric"),),
        classes=ctx.card.classes,
    )


def _bytes_said(ctx: RuleContext, log: LogFile, canonical: float) -> tuple[LogFile, int, str, int] | None:
    """Return what the claimed line of a log says that it is of, where its tokens agree and it is a part."""
    metric = headline_metric(log, ctx.evidence.headline)
    if metric is None or (found := _BYTES.search(metric.raw)) is None:
        return None
    scored = _whole(found.group(1))
    if not 0 < scored < FULL * canonical or _of_one_process(scored, canonical):
        return None
    near = [line.text for line in log.lines if abs(line.number - metric.line) <= NEAR]
    counts = [_whole(text) for line in near for text in _TOKENS.findall(line)]
    tokens = val_tokens(log)
    per_token = canonical / tokens if tokens else None
    if per_token is None or not any(n and abs(scored / n / per_token - 1.0) < SAME_TEXT for n in counts):
        return None
    return log, metric.line, metric.raw, scored


def _of_one_process(scored: int, canonical: float) -> bool:
    """Say whether a number of bytes is that of one of the processes among which the set was divided."""
    return any(abs(scored * n / canonical - 1.0) < 1.0 - FULL for n in SHARDS)


def _whole(text: str) -> int:
    digits = text.replace(",", "").replace("_", "")
    return int(digits) if digits else 0
