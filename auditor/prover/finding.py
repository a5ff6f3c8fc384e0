"""Turn a conviction in miniature into a finding of an audit. Only LEAK and NOT_NORMALISED do, and only upwards."""

from __future__ import annotations

from auditor.model.finding import Effect, Finding, PathStep, Ruling
from auditor.model.source import Span
from auditor.model.verdict import LegalityVerdict
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Proof
from auditor.rules.data import Card


def finding_of(
    proof: Proof, card: Card, effect: Effect, script: str, layer: int, static: LegalityVerdict
) -> Finding | None:
    """Return what a proof adds to an audit, None where it adds nothing.

    `static` is what the audit says without it. Where the two contradict each other the message names both, so that a
    reader looks at the code. `layer` is that of the payload which ran.
    """
    if not proof.convicts or proof.witness is None or proof.metric is None:
        return None
    metric, witness = proof.metric, proof.witness
    span = Span(script, layer, max(metric.line, 1))
    what = "a score depends on a later token" if proof.outcome is Outcome.LEAK else "the scores are no distribution"
    message = f"run in miniature, {what}: {witness.message}"
    if static is LegalityVerdict.LEGAL:
        message += "; the reading of the code alone found the eval path legal: one of the two is wrong"
    step = f"{metric.scores} scores were added up here; they reproduce the printed {metric.by}"
    path = (
        PathStep("SCORE", span, metric.function, step),
        PathStep("WITNESS", span, metric.function, witness.message),
    )
    return Finding(card.id, card.slug, Ruling.VIOLATION, effect, message, span, path, citations=card.citations)
