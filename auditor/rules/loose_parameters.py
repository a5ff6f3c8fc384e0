"""What the rules on evaluation-time parameters outside the weights share: who learns, from what, for how long."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.leaks import Way
from auditor.interp.scores import Score
from auditor.model.finding import Finding
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def loose_steps(analysis: Analysis) -> list[Node]:
    """Return the steps that fit a parameter outside every module right before a score, in the same iteration."""
    return [step for _, step in _fits(analysis)]


def _fits(analysis: Analysis) -> list[tuple[Score, Node]]:
    found: dict[int, tuple[Score, Node]] = {}
    for score in analysis.composition.scores if analysis.composition is not None else ():
        for node in ancestors(score.loss, into_state=True, cap=3_000):
            fitted_here = node.kind is Kind.STEP and set(score.loss.loops) <= set(node.loops)
            if fitted_here and node.info.get("loose") and _learns_from_validation(node, analysis):
                found[node.index] = (score, node)
    return [found[i] for i in sorted(found)]


def _lasts(score: Score, step: Node) -> bool:
    """Say whether the fitted parameter carries what it learned in earlier iterations (a warm start)."""
    return any(
        n.kind is Kind.STEP and n.info.get("loose") and not set(score.loss.loops) <= set(n.loops)
        for n in ancestors(step, into_state=False, cap=2_000)
    )


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
    fits = _fits(analysis)
    if any(_lasts(score, node) for score, node in fits) is not lasting:
        return
    for _, node in fits:
        backward = [p for p in node.parents if p.kind is Kind.BACKWARD][:1]
        yield ctx.violation(
            f"{what} (line {node.span.line} of {node.function}); no ruling was found",
            node.span,
            steps_of([*backward, node], analysis),
            classes=ctx.card.classes,
        )
        return
