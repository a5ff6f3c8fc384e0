"""PG510: the validation bytes that loss, bpb and token count imply together, as measured."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.facts import val_tokens
from auditor.measure.implied import Implied, implied
from auditor.measure.rows import headline_metric
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted_logs, number_of, step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare the implied bytes of the claimed metric with the validation set's; it says nothing of the cause."""
    canonical, tolerance = number_of(ctx, "val_bytes"), number_of(ctx, "val_bytes_tolerance")
    found: list[Implied] = []
    for log in counted_logs(ctx):
        metric = headline_metric(log, ctx.evidence.headline)
        measured = None if metric is None else implied(metric, val_tokens(log), canonical)
        if measured is not None:
            found.append(measured)
    if not found:
        return
    off = [item for item in found if abs(item.ratio - 1.0) > tolerance]
    if not off:
        yield ctx.established(
            f"loss, bpb and token count imply {found[0].bytes:,.0f} validation bytes, the full set's {canonical:,.0f}"
        )
        return
    worst = max(off, key=lambda item: abs(item.ratio - 1.0))
    part = f"; {worst.tokens:,} tokens are {worst.subset}" if worst.subset else ""
    metric = worst.metric
    yield ctx.violation(
        f"{metric.name}: loss, bpb and {worst.tokens:,} tokens imply {worst.bytes:,.0f} validation bytes "
        f"({worst.bytes / worst.tokens:.4f} a token), {worst.ratio:.4f} of the full set's {canonical:,.0f}{part}; "
        "a part of the set, another text, a loss that is not the score's, or a miscount would explain it",
        None,
        (step(metric.file, metric.line, metric.raw, "the claimed metric"),),
        effect=Effect.NOTE,
    )
