"""What the rules on the order of scoring and learning share: one finding per leak of the rule's ways."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.leaks import Leak, Way
from auditor.model.finding import Finding
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import leak_path


def leaks_of(ctx: RuleContext, *ways: Way) -> list[Leak]:
    """Return the leaks of these ways behind the headline."""
    return [leak for leak in ctx.analysis.leaks if leak.way in ways] if ctx.analysis is not None else []


def findings(ctx: RuleContext, what: str, *ways: Way) -> Iterator[Finding]:
    """Yield a violation for each leak of these ways; `what` says in words what they amount to.

    What stands on one side of a condition that could not be decided is unproven.
    """
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    for leak in leaks_of(ctx, *ways):
        function = analysis.headline.function
        message = (
            f"{what}: {leak.learned.function} learns from validation positions {leak.overlap} at line "
            f"{leak.learned.span.line}, and {function} counts their score afterwards "
            f"({leak.share:.0%} of the counted positions followed)"
        )
        if leak.certain:
            yield ctx.violation(message, leak.learned.span, leak_path(leak, analysis), classes=ctx.card.classes)
        else:
            doubt = "if a condition holds that could not be decided, "
            yield ctx.unproven(doubt + message, leak.learned.span, leak_path(leak, analysis))
