"""PG106: a warm-up that steps on validation tokens and whose state is thrown away (disputed)."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node, ancestors
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation (disputed) where a backward pass over validation tokens leaves no trace in any score."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or not analysis.composition.scores:
        return
    for node in _discarded(analysis):
        yield ctx.violation(
            f"{node.function} differentiates a loss of validation tokens at line {node.span.line} before anything is "
            "scored; the result reaches no score of the headline",
            node.span,
            steps_of([node], analysis),
            classes=ctx.card.classes,
        )
        return


def _discarded(analysis: Analysis) -> Iterator[Node]:
    assert analysis.composition is not None
    scores = analysis.composition.scores
    first = min(score.loss.index for score in scores)
    learned = analysis.trace.learned
    used = {n.index for score in (scores[0], scores[-1]) for n in ancestors(score.loss, into_state=True)}
    summed = [n for n in analysis.trace.nodes if n.kind is Kind.REDUCE and n.region]
    for node in analysis.trace.nodes:
        if node.kind is not Kind.BACKWARD or node.index > first or node.index in used:
            continue
        if not any(learned[p.index].losses for p in node.parents):
            continue
        own = set(node.frames) - set(scores[0].loss.frames) or {node.frames[-1]}
        if not any(own & set(reduced.frames) for reduced in summed):
            yield node
