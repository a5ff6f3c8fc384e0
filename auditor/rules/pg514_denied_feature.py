"""PG514: features that a log prints as switched on and the text denies, or never mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.intake.readme import Denial, denials, unmentioned
from auditor.measure.settings import is_on
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted_logs, place, quoted


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Quote both sides, and say whether the shipped code does anything with the setting."""
    found = list(denials(ctx.submission))
    agreed: list[str] = []
    for denial in found:
        hit = _contradiction(ctx, denial)
        if hit is not None:
            yield hit
        else:
            agreed.append(denial.feature)
    denied = {denial.feature for denial in found}
    for feature, setting in unmentioned(ctx.submission):
        shown = None if feature in denied else _switched_on(ctx, setting)
        if shown is not None:
            log, name, value, line = shown
            yield ctx.violation(
                f"{log} prints {name}={value}, the text does not mention the {feature}{_use(ctx, name)}",
                place(log, line),
                effect=Effect.NOTE,
            )
    if agreed:
        yield ctx.established(f"no log prints as on what the text denies: {', '.join(agreed)}")


def _contradiction(ctx: RuleContext, denial: Denial) -> Finding | None:
    shown = _switched_on(ctx, denial.setting)
    if shown is None:
        return None
    log, name, value, line = shown
    return ctx.violation(
        f"the text says no {denial.feature} ({denial.file}:{denial.line}: {quoted(denial.text)}), "
        f"{log} prints {name}={value}{_use(ctx, name)}",
        place(log, line),
        effect=Effect.NOTE,
    )


def _switched_on(ctx: RuleContext, setting: re.Pattern[str]) -> tuple[str, str, str, int] | None:
    """Return (log, setting, value, line) of the first setting of that name that a log prints as on."""
    for log in counted_logs(ctx):
        for name, (value, line) in log.hyperparameters.items():
            if setting.search(name.lower()) and is_on(value):
                return log.file, name, value, line
    return None


def _use(ctx: RuleContext, name: str) -> str:
    if ctx.program is None:
        return ""
    texts = [module.unpacked.payload.text for module in (ctx.program.main, *ctx.program.helpers)]
    count = sum(len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text)) for text in texts)
    if count == 0:
        return "; the shipped code does not name it"
    return "; the shipped code assigns it and never reads it" if count == 1 else "; the shipped code reads it"
