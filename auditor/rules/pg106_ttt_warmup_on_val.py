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


REACH = 200
"""Events looked through between a backward pass and the losses that it descends on."""


def _discarded(analysis: Analysis) -> Iterator[Node]:
    assert analysis.composition is not None
    scores = analysis.composition.scores
    first = min(score.loss.index for score in scores)
    learned, nodes = analysis.trace.learned, analysis.trace.nodes
    used = {n.index for score in (scores[0], scores[-1]) for n in ancestors(score.loss, into_state=True)}
    backwards = [n for n in nodes if n.kind is Kind.BACKWARD]
    unused = [n for n in backwards if n.index <= first and n.index not in used]
    unused = [n for n in unused if any(learned[p.index].losses for p in n.parents)]
    scored = _scored(nodes, backwards) if unused else []
    for node in unused:
        own = set(node.frames) - set(scores[0].loss.frames) or {node.frames[-1]}
        if not any(own & set(other.frames) for other in scored):
            yield node


def _scored(nodes: list[Node], backwards: list[Node]) -> list[Node]:
    """Return the sums of losses, and the losses on which no backward pass descends."""
    descended = {n for b in backwards for p in b.parents for n in ancestors(p, into_state=False, cap=REACH)}
    return [n for n in nodes if n.region and (n.kind is Kind.REDUCE or (n.kind is Kind.LOSS and n not in descended))]
