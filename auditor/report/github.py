"""Annotations as GitHub workflow commands.

A line that starts with two colons is a command to the runner, so nothing that a submission holds may begin a line or
end a property: newlines are gone (`visible`), and data and properties are escaped as the runner's parser expects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auditor.limits import DEFAULT_LIMITS, GithubLimits
from auditor.model.report import AuditReport, JudgedFinding, SubmissionReport
from auditor.report.json import level
from auditor.report.visible import visible

_COMMAND = {"error": "error", "warning": "warning", "note": "notice"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark at a place of the pull request; `line` None points at the file."""

    kind: str
    """error, warning or notice."""
    title: str
    message: str
    file: str | None = None
    line: int | None = None


def render(report: AuditReport, limits: GithubLimits = DEFAULT_LIMITS.github) -> str:
    """Return one workflow command per line."""
    return "".join(f"{line}\n" for line in commands(annotate(report), limits))


def annotate(report: AuditReport) -> Iterator[Annotation]:
    """Yield a verdict notice per submission, then every finding, worst first; waived findings are left out."""
    for submission in report.submissions:
        verdict = submission.verdict.value
        yield Annotation("notice", f"pgolf: {verdict}", f"{submission.path}: {verdict}, {submission.recommendation}")
    for submission in report.submissions:
        open_findings = [judged for judged in submission.findings if judged.waiver is None]
        for judged in sorted(open_findings, key=lambda one: list(_COMMAND).index(level(one.finding))):
            yield _annotation(submission, judged, named=len(report.submissions) > 1)
    for problem in report.problems:
        yield Annotation("warning", "pgolf", f"{problem.path}: {problem.message}")
    for waiver in report.stale_waivers:
        yield Annotation("warning", "pgolf", f"stale waiver {waiver.fingerprint}: {waiver.reason}")


def commands(wanted: Iterable[Annotation], limits: GithubLimits = DEFAULT_LIMITS.github) -> Iterator[str]:
    """Yield workflow commands, at most `limits.annotations` per kind; the last of a full kind counts the rest."""
    by_kind: dict[str, list[Annotation]] = {kind: [] for kind in _COMMAND.values()}
    for annotation in wanted:
        by_kind[annotation.kind].append(annotation)
    for kind, rows in by_kind.items():
        cut = len(rows) > limits.annotations
        shown = rows[: limits.annotations - 1] if cut else rows
        for row in shown:
            yield _command(row, limits)
        if cut:
            rest = f"{len(rows) - len(shown)} further {kind}s are in the job summary and in the JSON report"
            yield _command(Annotation(kind, "pgolf", rest), limits)


def _annotation(submission: SubmissionReport, judged: JudgedFinding, *, named: bool) -> Annotation:
    """Return a finding's remark; one without a place names its folder where there are several."""
    finding, span = judged.finding, judged.finding.location
    message = f"{submission.path}: {finding.message}" if named and span is None else finding.message
    if span is not None and span.layer:
        message += f" (decoded layer {span.layer}, line {span.line})"
    return Annotation(
        kind=_COMMAND[level(finding)],
        title=f"{finding.rule} {finding.slug}",
        message=message,
        file=None if span is None else f"{submission.path}/{span.file}",
        line=None if span is None else 1 if span.layer else span.line,
    )


def _command(annotation: Annotation, limits: GithubLimits) -> str:
    properties = {"title": annotation.title}
    if annotation.file is not None:
        properties = {"file": annotation.file, "line": str(annotation.line or 1), **properties}
    listed = ",".join(f"{name}={_property(visible(value))}" for name, value in properties.items())
    return f"::{annotation.kind} {listed}::{_data(visible(annotation.message, limits.annotation_chars))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
