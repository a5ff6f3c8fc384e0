"""Corpus runs: nothing is lost, a kill costs nothing, and pieces join to the whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import PgolfError
from auditor.fleet import run as module
from auditor.fleet.run import RunOptions, run
from auditor.fleet.store import RESULTS, differences, merge, read, verdicts, write_results
from auditor.fleet.tasks import Task, shard_of, tasks_of
from auditor.fleet.work import Job, report_name
from auditor.limits import DEFAULT_LIMITS, FleetLimits
from auditor.model.report import SubmissionReport
from auditor.model.submission import Submission
from auditor.usecases.audit import audit_submission
from tests.usecases.repository import CLEAN, FLAGGED, pull, repository


def _silent(*_: object) -> None:
    return None


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three pull requests, one of which adds nothing."""
    root = repository(tmp_path_factory.mktemp("fleet") / "repo")
    pull(root, 2, CLEAN)
    pull(root, 10, FLAGGED)
    pull(root, 11)
    return root


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    run(tasks_of(source, DEFAULT_LIMITS.intake), out, RunOptions(jobs=1, reports=True), _silent)
    return out


def test_every_task_has_a_row_in_order(whole: Path) -> None:
    """Numbers are sorted as numbers, and a pull request that adds nothing is a row too."""
    header, rows = read(whole / RESULTS)
    assert header is not None and header.edition
    assert [row.task for row in rows] == ["pr/2", "pr/10", "pr/11"]
    assert [one["verdict"] for one in rows[1].document()["submissions"]] == ["COMPLIANCE_FLAG"]
    assert rows[2].document()["submissions"] == []
    assert not (whole / "journal.jsonl").exists()
    assert (whole / "reports" / report_name("pr/10")).exists()


def test_a_second_run_reuses_everything(source: Path, whole: Path) -> None:
    """The keys name content, tool and edition: nothing is audited again, and the bytes stay."""
    before = (whole / RESULTS).read_bytes()
    outcome = run(tasks_of(source, DEFAULT_LIMITS.intake), whole, RunOptions(jobs=1), _silent)
    assert outcome.reused == 3 and outcome.seconds == {}
    assert (whole / RESULTS).read_bytes() == before


def test_another_edition_or_tool_reuses_nothing(source: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result of other rules or other code is another result."""
    from auditor.fleet import tasks
    from auditor.fleet.tasks import key_of

    (task, *_) = tasks_of(source, DEFAULT_LIMITS.intake)
    key = key_of(task, "2026-05-02", DEFAULT_LIMITS.intake)
    assert key != key_of(task, "2026-03-20", DEFAULT_LIMITS.intake)
    assert key != key_of(replace(task, head="0" * 40), "2026-05-02", DEFAULT_LIMITS.intake)
    monkeypatch.setattr(tasks, "tool_digest", lambda: "other")
    assert key != key_of(task, "2026-05-02", DEFAULT_LIMITS.intake)


def test_killed_in_the_middle_and_resumed_gives_the_same_bytes(source: Path, whole: Path, tmp_path: Path) -> None:
    """The process is killed once the journal holds a row; the next run takes it up and ends with the same file."""
    command = [sys.executable, "-c", "from auditor.cli import app; app()", "corpus", str(source), "-o", str(tmp_path)]
    process = subprocess.Popen([*command, "-j", "1"], start_new_session=True, stderr=subprocess.DEVNULL)
    journal = tmp_path / "journal.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.read_text().count("\n") >= 2:
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    outcome = run(tasks_of(source, DEFAULT_LIMITS.intake), tmp_path, RunOptions(jobs=1), _silent)
    assert outcome.reused >= 1
    assert (tmp_path / RESULTS).read_bytes() == (whole / RESULTS).read_bytes()


def test_a_line_that_a_kill_cut_off_is_forgotten(whole: Path, tmp_path: Path) -> None:
    """The end of the file is read as far as it is whole; damage before the end is an error."""
    lines = (whole / RESULTS).read_text().split("\n")
    (tmp_path / "a.jsonl").write_text("\n".join([*lines[:2], lines[2][:50]]))
    assert len(read(tmp_path / "a.jsonl")[1]) == 1
    (tmp_path / "b.jsonl").write_text("\n".join([lines[0], lines[1][:50], lines[2], ""]))
    with pytest.raises(PgolfError, match=r"b\.jsonl:2"):
        read(tmp_path / "b.jsonl")


def test_shards_are_a_partition_and_merge_to_the_whole(source: Path, whole: Path, tmp_path: Path) -> None:
    """Every task is in exactly one shard, and the joined file has the bytes of one run."""
    tasks = tasks_of(source, DEFAULT_LIMITS.intake)
    parts = [shard_of(tasks, index, 2) for index in (1, 2)]
    assert sorted(task.name for part in parts for task in part) == sorted(task.name for task in tasks)
    for index, part in enumerate(parts):
        run(part, tmp_path / str(index), RunOptions(jobs=1), _silent)
    header, rows = merge([tmp_path / "0" / RESULTS, tmp_path / "1" / RESULTS])
    write_results(tmp_path / RESULTS, header, rows)
    assert (tmp_path / RESULTS).read_bytes() == (whole / RESULTS).read_bytes()


def test_files_of_different_tools_do_not_merge(whole: Path, tmp_path: Path) -> None:
    """Verdicts of two rule sets in one file would compare what cannot be compared."""
    text = (whole / RESULTS).read_text().replace('"tool": "', '"tool": "x', 1)
    (tmp_path / "other.jsonl").write_text(text)
    with pytest.raises(PgolfError, match="another state"):
        merge([whole / RESULTS, tmp_path / "other.jsonl"])


def test_a_changed_verdict_is_a_difference(whole: Path, tmp_path: Path) -> None:
    """Changed, new and vanished submissions are listed with both verdicts."""
    rows = read(whole / RESULTS)[1]
    old = {**verdicts(rows), ("pr/3", "gone"): "LOOKS_CLEAN / legal"}
    place = ("pr/10", next(path for task, path in old if task == "pr/10"))
    old[place] = "LOOKS_CLEAN / legal"
    changed = list(differences(old, verdicts(rows)))
    assert ("pr/3", "gone", "LOOKS_CLEAN / legal", "-") in changed
    assert (*place, "LOOKS_CLEAN / legal", "COMPLIANCE_FLAG / illegal") in changed
    assert len(changed) == 2


def hang(job: Job) -> tuple[str, float]:
    """A worker function that hangs, dies or swells for the tasks of that name."""
    if job.task.name == "hang":
        time.sleep(600)
    if job.task.name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.task.name == "swell":
        return str(bytearray(1 << 40)), 0.0
    return module.row(job, failure=None), 0.0


def test_a_hang_a_crash_and_a_flood_cost_only_their_own_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each becomes a row that says what happened; the tasks around them are done."""
    monkeypatch.setattr(module, "run_job", hang)
    limits = replace(DEFAULT_LIMITS, fleet=FleetLimits(task_seconds=5))
    names = ["a", "hang", "b", "die", "c", "swell", "d"]
    tasks = [Task(name, str(tmp_path), None, "0") for name in names]
    run(tasks, tmp_path / "out", RunOptions(jobs=2, limits=limits), _silent)
    failures = {row.task: row.document()["failure"] for row in read(tmp_path / "out" / RESULTS)[1]}
    assert sorted(failures) == sorted(names)
    assert "5 seconds" in failures.pop("hang")
    assert "ProcessExpired" in failures.pop("die")
    assert "memory" in failures.pop("swell")
    assert set(failures.values()) == {None}


def test_failed_tasks_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure may be the machine's: the next run does not keep it."""
    from auditor.fleet.store import known

    monkeypatch.setattr(module, "run_job", hang)
    run([Task("die", str(tmp_path), None, "0")], tmp_path / "out", RunOptions(jobs=1), _silent)
    assert known(tmp_path / "out") == {}


def test_a_directory_of_prs_gives_a_task_each(tmp_path: Path) -> None:
    """Children that hold records/ are the tasks; a checkout gives one per folder."""
    for name in ("10", "9"):
        (tmp_path / "prs" / name / "records" / "t" / f"f{name}").mkdir(parents=True)
    assert {task.name for task in tasks_of(tmp_path / "prs", DEFAULT_LIMITS.intake)} == {"9", "10"}
    assert {task.name for task in tasks_of(tmp_path / "prs" / "9", DEFAULT_LIMITS.intake)} == {"records/t/f9"}


def test_rows_hold_no_time_and_no_machine(whole: Path, source: Path) -> None:
    """Nothing in the results depends on where the repository lies."""
    text = (whole / RESULTS).read_text()
    assert str(source) not in text
    assert json.loads(text.split("\n")[0])["pgolf_corpus"] == 1


def test_a_submission_that_two_pull_requests_carry_is_audited_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second task takes the first one's document as it stands; one byte more makes it another submission."""
    from auditor.fleet import twins, work

    made: list[str] = []

    def counted(submission: Submission, *rest: Any) -> SubmissionReport:
        made.append(submission.path)
        return audit_submission(submission, *rest)

    monkeypatch.setattr(twins, "audit_submission", counted)
    rows = []
    for name in ("a", "b", "c"):
        shutil.copytree(CLEAN, tmp_path / name)
        if name == "c":
            (next((tmp_path / name).glob("records/*/*")) / "note.md").write_text("another file", encoding="utf-8")
        job = Job(Task(name, str(tmp_path / name)), name, None, None, str(tmp_path / "shared"))
        rows.append(json.loads(work.run_job(job)[0])["submissions"])
    assert len(made) == 2
    assert rows[0] == rows[1] != rows[2]


def test_a_run_leaves_no_shared_documents(whole: Path, source: Path, tmp_path: Path) -> None:
    """They are of use only while it is under way, and its rows are those of a run that shares nothing."""
    run(tasks_of(source, DEFAULT_LIMITS.intake), tmp_path, RunOptions(jobs=2), _silent)
    assert [path.name for path in tmp_path.iterdir()] == [RESULTS]
    assert (tmp_path / RESULTS).read_bytes() == (whole / RESULTS).read_bytes()
