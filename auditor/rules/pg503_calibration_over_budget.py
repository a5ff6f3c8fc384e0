"""PG503: training plus the calibration that follows it, against the training budget."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.measure.timing import calibration, train_time, untimed_calibration
from auditor.model.finding import Effect, Finding, Pass
from auditor.model.logs import LogFile, Observed
from auditor.rules.context import RuleContext
from auditor.rules.measured import (
    claimed_files,
    counted,
    counted_logs,
    is_record,
    listing,
    number_of,
    place,
    seed_name,
    step,
)

_OTHER_LINES = 12
_DATA = (
    ("validation data", re.compile(r"\bval(?:idation)?\b|val[-_]", re.I)),
    ("text that the model generated", re.compile(r"generat|\bAR\b|self-?gen", re.I)),
    ("training data", re.compile(r"\btrain", re.I)),
)


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Add timed calibration after the stop to the training time; what is not timed is said to be unknown."""
    if not is_record(ctx):
        return
    note, finding = (
        number_of(ctx, "train_calibration_note_seconds"),
        number_of(ctx, "train_calibration_finding_seconds"),
    )
    behind = claimed_files(ctx)
    within: list[tuple[LogFile, float]] = []
    noted: list[tuple[LogFile, float, list[Observed]]] = []
    over: list[tuple[LogFile, float, list[Observed]]] = []
    for log in counted_logs(ctx):
        train, lines = train_time(log), calibration(log)
        if train is None or not lines:
            continue
        total = (train.ms + sum(float(item.value) for item in lines)) / 1000.0
        if total - train.precision_ms / 1000.0 > finding and log.file in behind:
            over.append((log, total, lines))
        elif total > note:
            noted.append((log, total, lines))
        else:
            within.append((log, total))
    for found, effect in ((over, Effect.REVIEW), (noted, Effect.NOTE)):
        if found:
            yield _finding(ctx, found, effect)
    if within and not over and not noted:
        longest = max(total for _, total in within)
        yield ctx.established(
            f"training plus timed calibration takes {longest:.1f} s at most in {counted(len(within), 'log')}"
        )
    untimed = [(log, line) for log in counted_logs(ctx) if (line := untimed_calibration(log)) is not None]
    if untimed:
        log, line = untimed[0]
        yield ctx.unproven(
            f"{listing(item.file for item, _ in untimed)}: calibration follows the stop and is not timed, so whether "
            "it fits the training budget is unknown",
            place(log.file, line.line),
            effect=Effect.NOTE,
        )


def _finding(ctx: RuleContext, found: list[tuple[LogFile, float, list[Observed]]], effect: Effect) -> Finding:
    log, total, lines = max(found, key=lambda item: item[1])
    spent = sum(float(item.value) for item in lines) / 1000.0
    first = [step(item.file, item.line, item.raw, seed_name(log)) for item in lines]
    others = [step(i.file, i.line, i.raw, seed_name(o)) for o, _, more in found if o is not log for i in more]
    steps = (*first, *others[:_OTHER_LINES])
    budget = number_of(ctx, "train_seconds")
    return ctx.violation(
        f"{counted(len(found), 'run', 'spend')} more than {budget:g} s on training and calibration together; "
        f"the longest is {seed_name(log)}: {total - spent:.1f} s of training + {spent:.1f} s of calibration on "
        f"{_data(log, lines)} = {total:.1f} s",
        steps[0].span,
        steps,
        effect=effect,
    )


def _data(log: LogFile, lines: list[Observed]) -> str:
    """Whose text the calibration reads, as far as the log says."""
    said = [item.raw for item in log.facts if item.fact == "calibration_untimed"] + [item.raw for item in lines]
    for name, pattern in _DATA:
        if any(pattern.search(text) for text in said):
            return name
    return "data that the log does not name"
