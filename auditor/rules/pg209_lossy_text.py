"""PG209: the scored text is a lossy normalisation of the real one (disputed)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of

_NORMALISED = re.compile(r"case[-_]?fold|lower[-_]?cased?|uncased|no[-_]?case", re.IGNORECASE)


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the validation tokens are read from a data set that names a lossy normalisation."""
    analysis = ctx.analysis
    if analysis is None:
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
