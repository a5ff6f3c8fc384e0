"""What a CI job asks of a pull request: audit what it adds, and see that it adds nothing but its record folder.

Reads two commits of one checkout and the files of the newer; runs nothing of either, prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from auditor.errors import IntakeError
from auditor.exit_codes import ExitCode, exit_code
from auditor.intake import git
from auditor.limits import IntakeLimits
from auditor.model.report import AuditReport
from auditor.model.submission import RootProblem
from auditor.model.verdict import Verdict
from auditor.usecases.audit import AuditOptions, audit


class FailOn(str, Enum):
    """From which verdict on the job fails."""

    FLAG = "flag"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Stray:
    """A change that a submission's pull request has no reason to make."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """The audit of what a pull request adds, with the changes that stand outside its record folder."""

    audit: AuditReport
    """Its `problems` name the stray changes too, so that the JSON report is complete."""
    strays: tuple[Stray, ...]
    touches_records: bool


def gate(root: Path, base: str, options: AuditOptions) -> GateReport:
    """Audit the submission folders that the checkout at `root` adds to commit `base`. Raises IntakeError."""
    limits = options.limits.intake
    if not git.is_checkout(root):
        raise IntakeError(f"{root} is not the top of a git checkout")
    changes = git.changes(root.resolve(), base, limits)
    if changes is None:
        raise IntakeError(f"{root}: nothing to compare with {base}")
    report = audit(root, replace(options, base=base))
    strays = tuple(_strays(report, changes, limits))
    problems = (*report.problems, *(RootProblem(stray.path, stray.message) for stray in strays))
    touched = any(path.startswith("records/") for path in _changed(changes))
    return GateReport(replace(report, problems=problems), strays, touched)


def gate_exit(report: GateReport, fail_on: FailOn) -> ExitCode:
    """Return the job's exit code; a pull request that adds no submission and touches no records passes.

    What cannot be read fails under both settings: otherwise being unreadable would be a way past the gate.
    """
    if not report.audit.submissions:
        return ExitCode.NOTHING if report.touches_records else ExitCode.CLEAN
    code = exit_code(one.verdict for one in report.audit.submissions)
    if fail_on is FailOn.REVIEW:
        return ExitCode.REVIEW if code is ExitCode.CLEAN and report.strays else code
    if code is ExitCode.REVIEW:
        unreadable = any(one.verdict is Verdict.UNREADABLE for one in report.audit.submissions)
        return ExitCode.NOTHING if unreadable else ExitCode.CLEAN
    return code


def _strays(report: AuditReport, changes: git.Changes, limits: IntakeLimits) -> list[Stray]:
    folders = [one.path for one in report.submissions]
    known = [folder for folder in folders if any(path.startswith(f"{folder}/") for path in changes.before)]
    found = [Stray(folder, "changes a record folder that the base has already") for folder in known]
    for path in _changed(changes):
        inside = next((folder for folder in folders if path.startswith(f"{folder}/")), None)
        if inside is None:
            found.append(Stray(path, f"{_kind(path, changes)} outside every submission folder"))
        elif path not in changes.after:
            found.append(Stray(path, "removed from a record folder"))
    return found[: limits.tree_files]


def _changed(changes: git.Changes) -> list[str]:
    both = {*changes.before, *changes.after}
    return sorted(path for path in both if changes.before.get(path) != changes.after.get(path))


def _kind(path: str, changes: git.Changes) -> str:
    if path not in changes.before:
        return "added"
    return "changed" if path in changes.after else "removed"
