"""PG901: a value behind the headline went through a call that the analysis does not know."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Kind, Node, ancestors
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def _behind(loss: Node) -> Iterator[Node]:
    target = loss.info.get("target")
    for root in (loss, *([target] if isinstance(target, Node) else [])):
        yield from ancestors(root, into_state=False, cap=600)


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield UNPROVEN where an unmodelled call lies between the losses and the number."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None:
        return
    last = max((score.loss.index for score in analysis.composition.scores), default=0)
    for note in analysis.trace.notes:
        if note.info.get("learns") and note.index < last:
            yield ctx.unproven(
                f"{note.function} hands the model and validation tokens to {note.text} (line {note.span.line}) before "
                "the score is complete; whether it learns from them is not known",
                note.span,
                steps_of([note], analysis),
            )
            return
    inputs = (n for score in analysis.composition.scores[:4] for n in _behind(score.loss))
    for node in (*analysis.composition.others, *inputs):
        if node.kind is Kind.UNMODELLED:
            yield ctx.unproven(
                f"the number went through {node.text} (line {node.span.line}), which the analysis does not know",
                node.span,
                steps_of([node], analysis),
            )
            return
