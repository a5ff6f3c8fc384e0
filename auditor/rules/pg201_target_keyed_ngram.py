"""PG201: the look-up key of a cached prediction may not mix in the token that is being predicted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Kind, Node, ancestors
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a score is blended with a table entry that was found through its own target."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None:
        return
    learned = analysis.trace.learned
    for blend in analysis.composition.blends:
        if not blend.info.get("keyed"):
            continue
        reads = [n for n in _reads(blend) if learned[n.index].cached or _from_training(n)]
        mixed = [read for read in reads if not read.info.get("exact")]
        if not mixed:
            continue
        writes = [
            n for s in mixed[0].state for n in ancestors(s, into_state=False, cap=400) if n.kind is Kind.CACHE_WRITE
        ]
        yield ctx.violation(
            f"{analysis.headline.function} blends the score of each token with a table entry whose key is mixed from the "
            f"realised token itself (look-up at line {mixed[0].span.line}, blend at line {blend.span.line})",
            mixed[0].span,
            steps_of([*writes[:1], mixed[0], blend], analysis),
            classes=ctx.card.classes,
        )
        return


def _reads(blend: Node) -> list[Node]:
    found = [n for n in ancestors(blend, into_state=False, cap=2_000) if n.kind is Kind.CACHE_READ]
    return sorted(found, key=lambda n: n.index)


def _from_training(read: Node) -> bool:
    return any(
        n.kind is Kind.LOAD and n.info.get("split") == "train"
        for s in read.state
        for n in ancestors(s, into_state=True, cap=400)
    )
