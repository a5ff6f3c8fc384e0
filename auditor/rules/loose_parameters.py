"""What the rules on evaluation-time parameters outside the weights share: who learns, from what, for how long."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.leaks import Way
from auditor.model.finding import Finding
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def loose_steps(analysis: Analysis) -> list[Node]:
    """Return the steps behind the headline's scores that update parameters outside every module."""
    found: dict[int, Node] = {}
    for score in analysis.composition.scores if analysis.composition is not None else ():
        for node in ancestors(score.loss, into_state=True, cap=3_000):
            if node.kind is Kind.STEP and node.info.get("loose") and _learns_from_validation(node, analysis):
                found[node.index] = node
    return [found[i] for i in sorted(found)]


def _learns_from_validation(step: Node, analysis: Analysis) -> bool:
    backwards = [p for p in step.parents if p.kind is Kind.BACKWARD]
    return any(analysis.trace.learned[p.index].losses for b in backwards for p in b.parents)


def loose_learning(ctx: RuleContext, *, lasting: bool, what: str) -> Iterator[Finding]:
    """Yield one disputed finding where loose parameters learn without having seen what is scored."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    if any(leak.way is Way.WINDOW_PARAMETER for leak in analysis.leaks):
        return
    for node in loose_steps(analysis):
        made = [n for n in ancestors(node, into_state=False, cap=2_000) if n.kind is Kind.PARAM]
        if not made:
            continue
        inside = any(set(node.loops[:1]) & set(parent.loops) for parent in made) if node.loops else False
        if inside is lasting:
            continue
        backward = [p for p in node.parents if p.kind is Kind.BACKWARD][:1]
        yield ctx.violation(
            f"{what} (line {node.span.line} of {node.function}); no ruling was found",
            node.span,
            steps_of([*backward, node], analysis),
            classes=ctx.card.classes,
        )
        return
