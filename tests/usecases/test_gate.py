"""The gate: what a pull request adds is judged, and what it changes elsewhere is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import IntakeError
from auditor.exit_codes import ExitCode
from auditor.usecases.audit import AuditOptions
from auditor.usecases.gate import FailOn, gate, gate_exit
from tests.usecases.repository import CLEAN, FLAGGED, commit, git, pull, repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def test_a_clean_pull_request_passes_both_settings(root: Path) -> None:
    """It adds its record folder and nothing else."""
    head = pull(root, 1, CLEAN)
    report = gate(root, "main", AuditOptions())
    assert report.audit.head == head and report.strays == ()
    assert gate_exit(report, FailOn.FLAG) is ExitCode.CLEAN
    assert gate_exit(report, FailOn.REVIEW) is ExitCode.CLEAN


def test_a_flag_fails_both_settings(root: Path) -> None:
    """A compliance flag is exit code 1."""
    pull(root, 1, FLAGGED)
    report = gate(root, "main", AuditOptions())
    assert {gate_exit(report, FailOn.FLAG), gate_exit(report, FailOn.REVIEW)} == {ExitCode.FLAG}


def test_changes_elsewhere_are_findings_of_their_own(root: Path) -> None:
    """Added, changed and removed files outside the folder are each named; only the stricter setting fails on them."""
    (root / "old.txt").write_text("old")
    commit(root)
    pull(root, 1, CLEAN)
    (root / "README.md").write_text("changed\n")
    (root / "old.txt").unlink()
    (root / ".github").mkdir()
    (root / ".github" / "x.yml").write_text("on: push\n")
    commit(root)
    report = gate(root, "main", AuditOptions())
    assert {stray.path: stray.message.split(" ")[0] for stray in report.strays} == {
        ".github/x.yml": "added",
        "README.md": "changed",
        "old.txt": "removed",
    }
    assert gate_exit(report, FailOn.FLAG) is ExitCode.CLEAN
    assert gate_exit(report, FailOn.REVIEW) is ExitCode.REVIEW
    assert {"README.md", "old.txt"} <= {problem.path for problem in report.audit.problems}


def test_changing_a_record_of_the_base_is_named(root: Path) -> None:
    """A merged record is not a pull request's to change."""
    pull(root, 1, CLEAN)
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "branch-1")
    git(root, "checkout", "-q", "-b", "later")
    (folder,) = (root / "records" / "track_10min_16mb").iterdir()
    (folder / "README.md").write_text("better\n")
    commit(root)
    report = gate(root, "main", AuditOptions())
    assert any("already" in stray.message for stray in report.strays)


def test_no_submission_passes_unless_records_are_touched(root: Path) -> None:
    """A change of the documentation is none of the gate's business; a stray file under records/ is."""
    git(root, "checkout", "-q", "-b", "docs")
    (root / "README.md").write_text("better\n")
    commit(root)
    assert gate_exit(gate(root, "main", AuditOptions()), FailOn.REVIEW) is ExitCode.CLEAN
    (root / "records").mkdir()
    (root / "records" / "notes.txt").write_text("x")
    commit(root)
    assert gate_exit(gate(root, "main", AuditOptions()), FailOn.FLAG) is ExitCode.NOTHING


def test_an_unreadable_submission_fails_both_settings(root: Path) -> None:
    """Being unreadable is no way past the gate."""
    git(root, "checkout", "-q", "-b", "empty")
    folder = root / "records" / "track_10min_16mb" / "2026-01-01_NoScript"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("soon")
    commit(root)
    report = gate(root, "main", AuditOptions())
    assert {gate_exit(report, FailOn.FLAG), gate_exit(report, FailOn.REVIEW)} == {ExitCode.NOTHING}


def test_a_directory_without_git_is_refused(tmp_path: Path) -> None:
    """Without commits there is nothing to compare."""
    with pytest.raises(IntakeError):
        gate(tmp_path, "main", AuditOptions())
