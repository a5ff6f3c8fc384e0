"""PG303: evaluation may not read training data."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a training shard is read inside the call that scores the headline."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    frame = analysis.headline.frame
    entry = {node.frames[0] for node in analysis.trace.nodes[:1] if node.frames}
    for node in analysis.trace.nodes:
        if node.kind is Kind.LOAD and node.info.get("split") == "train" and frame in node.frames and frame not in entry:
            if (
                any(score.loss.function == "main" for score in analysis.composition.scores)
                if analysis.composition
                else True
            ):
                return
            yield ctx.violation(
                f"{node.function} reads {node.text} at line {node.span.line} while scoring",
                node.span,
                steps_of([node], analysis),
                classes=ctx.card.classes,
            )
            return
