"""PG002: the folder holds no script that can be judged."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.model.submission import FileKind
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a finding where no script was found or it could not be read."""
    name = ctx.submission.script
    if name is None:
        yield ctx.violation(f"no script to judge: {ctx.submission.script_reason}")
        return
    entry = ctx.submission.file(name)
    if entry is None or entry.kind is not FileKind.REGULAR:
        yield ctx.violation(f"the script {name} cannot be read", Span(name, 0, 1))
    elif entry.size > ctx.limits.intake.script_bytes:
        limit = ctx.limits.intake.script_bytes
        yield ctx.violation(
            f"the script {name} has {entry.size:,} bytes, more than the {limit:,} that are analysed", Span(name, 0, 1)
        )
    else:
        yield ctx.established(f"the script is {name} ({ctx.submission.script_reason})")
