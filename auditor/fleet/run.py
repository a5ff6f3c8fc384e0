"""Run tasks in worker processes. A task that hangs, swells or kills its worker becomes a row that says so."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pebble import ProcessFuture, ProcessPool

from auditor.fleet.store import Header, Row, finish, known, open_journal, parse_row
from auditor.fleet.tasks import Task, key_of, tool_digest
from auditor.fleet.twins import TWINS
from auditor.fleet.work import Job, report_name, row, run_job, start_worker
from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.rules.data import edition as load_edition

Progress = Callable[[int, int, str], None]
"""Told after every task: done, all, the task's name."""


@dataclass(slots=True)
class Outcome:
    """What a run did; the times are of this run alone and stand in no result file."""

    results: Path
    rows: list[Row]
    reused: int
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run; `reports` asks for one HTML file per task."""

    jobs: int = 2
    edition: str | None = None
    reports: bool = False
    limits: Limits = DEFAULT_LIMITS


def run(tasks: Iterable[Task], directory: Path, options: RunOptions, progress: Progress) -> Outcome:
    """Audit every task that has no result yet and write `directory`/results.jsonl. Raises PgolfError on its files."""
    edition = load_edition(options.edition).name
    header = Header(tool_digest(), edition)
    reports = directory / "reports" if options.reports else None
    (reports or directory).mkdir(parents=True, exist_ok=True)
    shared = directory / TWINS
    jobs = [
        Job(task, key_of(task, edition, options.limits.intake), edition, str(reports) if reports else None, str(shared))
        for task in tasks
    ]
    before = known(directory)
    kept = {job.key: before[job.key] for job in jobs if job.key in before and _has_report(reports, job)}
    todo = [job for job in jobs if job.key not in kept]
    outcome = Outcome(directory / "results.jsonl", list(kept.values()), len(kept))
    with open_journal(directory, header, outcome.rows) as journal:
        _work(todo, journal, outcome, options, lambda done, name: progress(len(kept) + done, len(jobs), name))
    finish(directory, header, outcome.rows)
    shutil.rmtree(shared, ignore_errors=True)
    return outcome


def _has_report(reports: Path | None, job: Job) -> bool:
    return reports is None or (reports / report_name(job.task.name)).exists()


def _work(
    jobs: list[Job], journal: IO[str], outcome: Outcome, options: RunOptions, progress: Callable[[int, str], None]
) -> None:
    """Feed the pool a few tasks ahead of the workers, so that thousands of tasks do not pile up as futures."""
    fleet = options.limits.fleet
    context = multiprocessing.get_context("spawn")
    waiting = iter(jobs)
    with ProcessPool(
        max_workers=options.jobs, max_tasks=fleet.worker_tasks, initializer=start_worker, initargs=(fleet,),
        context=context,
    ) as pool:  # fmt: skip
        running: dict[ProcessFuture, Job] = {}
        done = 0
        while True:
            while len(running) < 2 * options.jobs and (job := next(waiting, None)) is not None:
                running[pool.schedule(run_job, args=(job,), timeout=fleet.task_seconds)] = job
            if not running:
                return
            for future in wait(list(running), return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                line, outcome.seconds[job.task.name] = _line(future, job, options)
                journal.write(line + "\n")
                journal.flush()
                outcome.rows.append(parse_row(line))
                done += 1
                progress(done, job.task.name)


def _line(future: ProcessFuture, job: Job, options: RunOptions) -> tuple[str, float]:
    """Return the row of a finished task, or one that says how its worker ended, and the seconds it took."""
    fleet = options.limits.fleet
    try:
        finished: tuple[str, float] = future.result()
        return finished
    except FutureTimeout:
        return row(job, failure=f"stopped after {fleet.task_seconds:g} seconds"), fleet.task_seconds
    except MemoryError:
        return row(job, failure=f"needed more than {fleet.worker_memory_bytes:,} bytes of memory"), 0.0
    except Exception as error:
        return row(job, failure=f"the worker ended with {type(error).__name__}"), 0.0
