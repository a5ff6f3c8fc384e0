"""PG209: the scored text is a lossy normalisation of the real one (disputed)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.interp.graph import Kind, Node, ancestors
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of

_NORMALISED = re.compile(r"case[-_]?fold|lower[-_]?cased?|uncased|no[-_]?case", re.IGNORECASE)


def _folded(loss: Node) -> Node | None:
    """Return the case folding that the scored tokens went through."""
    target = loss.info.get("target")
    roots = (loss, *([target] if isinstance(target, Node) else []))
    found = (n for root in roots for n in ancestors(root, into_state=False, cap=800) if n.kind is Kind.NORMALISE)
    return next(found, None)


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the validation tokens are read from a data set that names a lossy normalisation."""
    analysis = ctx.analysis
    if analysis is None:
        return
    for score in analysis.composition.scores[:4] if analysis.composition is not None else ():
        note = _folded(score.loss)
        if note is not None:
            yield ctx.violation(
                f"{note.function} folds the case of validation text at line {note.span.line} before it is scored",
                note.span,
                steps_of([note], analysis),
                classes=ctx.card.classes,
            )
            return
    for node in analysis.trace.nodes:
        if node.kind is Kind.LOAD and node.info.get("split") == "val" and _NORMALISED.search(node.text):
            yield ctx.violation(
                f"the scored tokens are {node.text}: a data set normalised before tokenising",
                node.span,
                steps_of([node], analysis),
                classes=ctx.card.classes,
            )
            return
