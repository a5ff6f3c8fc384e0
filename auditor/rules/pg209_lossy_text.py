"""PG209: the scored text is a lossy normalisation of the real one (disputed)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.interp.graph import Kind, Node, ancestors
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of

_NORMALISED = re.compile(r"case[-_]?fold|lower[-_]?cased?|uncased|no[-_]?case", re.IGNORECASE)


def _from_validation(node: Node) -> bool:
    return any(n.kind is Kind.LOAD and n.region for n in ancestors(node, into_state=False, cap=400))


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the validation tokens are read from a data set that names a lossy normalisation."""
    analysis = ctx.analysis
    if analysis is None:
        return
    for note in analysis.trace.notes:
        if note.kind is Kind.NORMALISE and any(_from_validation(parent) for parent in note.parents):
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
