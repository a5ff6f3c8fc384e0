"""PG008: several files could be the script and nothing in the folder says which one ran."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.script import ambiguous
from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield an UNPROVEN finding where the script had to be guessed."""
    name = ctx.submission.script
    if name is not None and ambiguous(ctx.submission.script_reason):
        message = f"{name} was taken as the script, {ctx.submission.script_reason}; --script picks another"
        yield ctx.unproven(message, Span(name, 0, 1))
