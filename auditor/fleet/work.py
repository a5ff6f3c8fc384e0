"""What happens inside a worker process: audit one task and return its row. Nothing here knows of other tasks."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import PgolfError
from auditor.fleet.tasks import Task, tool_digest
from auditor.fleet.twins import document_of
from auditor.limits import FleetLimits
from auditor.model.report import AuditReport
from auditor.model.submission import Intake, RootProblem
from auditor.report.json import dump, submission_document
from auditor.usecases.audit import AuditOptions, audit_intake, read, read_pull
from auditor.usecases.memory import settle


@dataclass(frozen=True, slots=True)
class Job:
    """A task with everything that a worker needs."""

    task: Task
    key: str
    edition: str | None
    reports: str | None
    """Directory for HTML reports, None for none."""
    shared: str
    """Directory of documents that the workers of a run share."""


def start_worker(limits: FleetLimits) -> None:
    """Cap this process's memory: a submission that makes the auditor swell costs its own task and no other."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = limits.worker_memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    settle()


def run_job(job: Job) -> tuple[str, float]:
    """Return the task's row as one line of JSON, and the seconds it took; an error of the intake is part of the row."""
    started = time.monotonic()
    line = _row_of(job)
    return line, time.monotonic() - started


def _row_of(job: Job) -> str:
    options = AuditOptions(edition=job.edition)
    try:
        found, head = _read(job.task, options)
    except PgolfError as error:
        return row(job, failure=str(error))
    if job.reports is None:
        shared, tool = Path(job.shared), tool_digest()
        documents = [document_of(submission, options, shared, tool) for submission in found.submissions]
    else:
        report = audit_intake(found, options, head=head)
        _write_html(Path(job.reports), job.task, report)
        documents = [submission_document(submission) for submission in report.submissions]
    return row(job, found.problems, documents)


def row(
    job: Job,
    problems: Sequence[RootProblem] = (),
    submissions: Sequence[dict[str, Any]] = (),
    failure: str | None = None,
) -> str:
    """Return one line of JSON for a task; `failure` says why it has no submissions. Holds no time and no machine."""
    return dump(
        {
            "task": job.task.name,
            "key": job.key,
            "head": job.task.head,
            "failure": failure,
            "problems": [f"{problem.path}: {problem.message}" for problem in problems],
            "submissions": submissions,
        },
        indent=None,
    )


def report_name(task: str) -> str:
    """Return the file name of a task's HTML report."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", task).strip("-.") + ".html"


def _read(task: Task, options: AuditOptions) -> tuple[Intake, str | None]:
    if task.number is not None:
        return read_pull(task.source, task.number, options)
    return read(Path(task.source), options)


def _write_html(directory: Path, task: Task, report: AuditReport) -> None:
    from auditor.report.emit import write
    from auditor.report.html import render

    write(directory / report_name(task.name), render(report))
