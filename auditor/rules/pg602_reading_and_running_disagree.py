"""Name both sides where the rules and a run in miniature contradict each other; a reader has to decide.

Must not soften either side: a run that broke nothing takes no finding back.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Effect, Finding
from auditor.model.verdict import LegalityVerdict
from auditor.prover.outcome import Outcome
from auditor.rules.context import RuleContext
from auditor.rules.miniature import span_of


def check(context: RuleContext) -> Iterator[Finding]:
    """Yield a finding where reading and running disagree."""
    proof, read = context.proof, context.read_as
    if proof is None or read is None:
        return
    if (
        proof.convicts
        and proof.witness is not None
        and read.verdict in (LegalityVerdict.LEGAL, LegalityVerdict.DISPUTED)
    ):
        span = None if proof.metric is None else span_of(context.program, proof.metric)
        classes = ", ".join(read.classes_active)
        yield context.unproven(
            f"reading the code found the eval path {read.verdict.value} ({classes}), running it in miniature found "
            f"{proof.outcome.value}: {proof.witness.message}; one of the two is wrong",
            span,
        )
    elif proof.outcome is Outcome.CLEAN_IN_MINIATURE and read.verdict is LegalityVerdict.ILLEGAL:
        classes = ", ".join(read.classes_active)
        yield context.unproven(
            f"reading the code found the eval path illegal ({classes}), running it in miniature broke no tested "
            "condition; the run may not have reached that code, or the class does not show in changed tokens",
            effect=Effect.NOTE,
        )
