"""PG006: the folder is a byte copy of another folder of the same tree."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a note where the folder is a copy: its number is not this pull request's."""
    if ctx.submission.copy_of is not None:
        yield ctx.violation(f"every file is byte-identical to {ctx.submission.copy_of}; the number is that folder's")
