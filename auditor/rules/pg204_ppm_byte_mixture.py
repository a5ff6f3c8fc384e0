"""PG204: a byte-level model is mixed with the network's token probabilities (disputed)."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass, PathStep
from auditor.rules.byte_models import byte_model
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import printed_step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where code that is handed the losses keeps counts under contexts of bytes."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None or ctx.program is None:
        return
    found = byte_model(analysis, ctx.program)
    if found is not None:
        name, place, where = found
        yield ctx.violation(
            f"{name} mixes the losses with counts kept under byte contexts ({where}, line {place.line})",
            place,
            (PathStep("SCORE", place, name, "keeps counts under bytes and mixes"), *printed_step(analysis)),
            classes=ctx.card.classes,
        )
