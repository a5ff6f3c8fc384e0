"""PG303: evaluation may not read training data."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a training shard is read inside a call that scores the headline."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None or analysis.composition is None:
        return
    scoring = _scoring_calls(analysis)
    for node in analysis.trace.nodes:
        if node.kind is Kind.LOAD and node.info.get("split") == "train" and not scoring.isdisjoint(node.frames):
            yield ctx.violation(
                f"{node.function} reads {node.text} at line {node.span.line} while scoring",
                node.span,
                steps_of([node], analysis),
                classes=ctx.card.classes,
            )
            return


def _scoring_calls(analysis: Analysis) -> set[int]:
    """Return the calls in which the scores behind the number came about, the outermost that the training is not in.

    The call in which all of them came about may be that of the whole program, where several make the number.
    """
    assert analysis.headline is not None
    assert analysis.composition is not None
    first = next((node for node in analysis.trace.nodes if node.kind is Kind.BACKWARD), None)
    found: set[int] = set()
    for score in analysis.composition.scores:
        frames = score.loss.frames
        inner = frames[frames.index(analysis.headline.frame) :] if analysis.headline.frame in frames else ()
        outside = {*frames[:1], *(first.frames if first is not None else ())}
        found.update([frame for frame in inner if frame not in outside][:1])
    return found
