"""PG603: the smoke test, where one was asked for, could not load the script.

Silent where nothing was run. Must not read anything into a PASS: the script's own process told it.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Effect, Finding
from auditor.model.smoke import SmokeOutcome
from auditor.rules.context import RuleContext


def check(context: RuleContext) -> Iterator[Finding]:
    """Yield what stopped the import: author action for a defect of the script, a note for what this machine lacks."""
    if context.smoke is None:
        return
    judgement = context.smoke.judgement
    told = f" ({judgement.exception})" if judgement.exception else ""
    if judgement.outcome is SmokeOutcome.FAIL:
        message = f"the smoke test could not load the script: {judgement.reason}{told}"
        yield context.violation(message, judgement.location, effect=Effect.ACTION)
    elif judgement.outcome is SmokeOutcome.INCONCLUSIVE:
        message = f"the smoke test came to no conclusion: {judgement.reason}{told}; this moves no verdict"
        yield context.unproven(message, judgement.location, effect=Effect.NOTE)
