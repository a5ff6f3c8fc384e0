"""PG007: the pull request changes a folder that its base already holds."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a finding where an existing record folder is changed instead of a new one added."""
    if ctx.submission.modified:
        yield ctx.violation(
            f"{ctx.submission.path} exists in the base already and this pull request changes it; a record that was "
            "accepted with other bytes is being edited"
        )
    elif ctx.submission.modified is False:
        yield ctx.established("the pull request adds this folder; the base does not hold it")
