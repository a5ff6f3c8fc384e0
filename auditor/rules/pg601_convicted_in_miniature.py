"""What a run in miniature showed: a conviction is a violation, everything else a note that moves nothing.

Silent where nothing was run. Holds no opinion on which class of violation it saw: changed tokens do not tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Effect, Finding, PathStep
from auditor.model.source import Span
from auditor.prover.outcome import Outcome
from auditor.prover.proof import MetricTested, Proof
from auditor.rules.context import RuleContext
from auditor.rules.miniature import span_of


def check(context: RuleContext) -> Iterator[Finding]:
    """Yield one finding where the submission was run in miniature."""
    proof = context.proof
    if proof is None:
        return
    if not proof.convicts or proof.metric is None or proof.witness is None:
        kind = f" ({proof.reason_class})" if proof.reason_class else ""
        said = f"run in miniature: {proof.outcome.value}{kind}: {proof.reason}; this moves no verdict"
        yield context.unproven(said, effect=Effect.NOTE)
        return
    what = "a score depends on a later token" if proof.outcome is Outcome.LEAK else "the scores are no distribution"
    span = span_of(context.program, proof.metric)
    message = f"run in miniature, {what}: {proof.witness.message}"
    yield context.violation(message, span, steps(proof, proof.metric, span))


def steps(proof: Proof, metric: MetricTested, span: Span | None) -> tuple[PathStep, ...]:
    """Return where the scores were added up and what moved."""
    if span is None or proof.witness is None:
        return ()
    added = f"{metric.scores} scores were added up here; they reproduce the printed {metric.by}"
    return (
        PathStep("SCORE", span, metric.function, added),
        PathStep("WITNESS", span, metric.function, proof.witness.message),
    )
