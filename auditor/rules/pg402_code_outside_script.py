"""PG402: code that the script loads from other shipped files; it is counted, and named."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import listing


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """List the loaded files beside the script with their bytes."""
    if ctx.program is None or ctx.submission.script is None:
        return
    paths = sorted({module.file for module in ctx.program.helpers} | set(ctx.program.natives))
    found = [(path, entry.size) for path in paths if (entry := ctx.submission.file(path)) is not None]
    if found:
        total = sum(size for _, size in found)
        yield ctx.violation(
            f"{total:,} bytes of code that the script can load stand outside it: "
            + listing(f"{path} ({size:,})" for path, size in found)
            + "; they are counted here"
        )
    else:
        yield ctx.established("the script loads no other shipped code")
