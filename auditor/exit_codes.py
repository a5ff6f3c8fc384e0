"""The exit codes of `pgolf`: scripts depend on them, so every command takes them from here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from auditor.model.verdict import Verdict


class ExitCode(IntEnum):
    """What a `pgolf` process says when it ends."""

    CLEAN = 0
    FLAG = 1
    """A compliance flag."""
    USAGE = 2
    REVIEW = 3
    """Review by hand or author action is asked for."""
    NOTHING = 4
    """Nothing to audit, or nothing readable."""
    INTERNAL = 70
    """A defect of pgolf itself."""


def exit_code(verdicts: Iterable[Verdict]) -> ExitCode:
    """Return the code for an audit: the worst verdict decides; an unreadable one counts where nothing is worse."""
    said = set(verdicts)
    if Verdict.COMPLIANCE_FLAG in said:
        return ExitCode.FLAG
    if said & {Verdict.NEEDS_REVIEW, Verdict.NEEDS_AUTHOR_ACTION}:
        return ExitCode.REVIEW
    if not said or Verdict.UNREADABLE in said:
        return ExitCode.NOTHING
    return ExitCode.CLEAN
