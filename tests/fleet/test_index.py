"""The index of a corpus run as text; the browser tests hold how it behaves."""

from __future__ import annotations

from auditor.fleet.index import render_index
from auditor.fleet.store import Row, parse_row
from auditor.report.json import dump, submission_document
from tests.report.sample import HOSTILE, submission


def _row(task: str, **changes: object) -> Row:
    raw = {"task": task, "key": task, "head": None, "failure": None, "submissions": [submission_document(submission())]}
    return parse_row(dump({**raw, **changes}, indent=None))


def test_the_same_bytes_in_another_pull_request_are_named() -> None:
    """The later task says of which earlier one it is a copy; the earlier one says nothing."""
    text = render_index([_row("pr/1550"), _row("pr/1624")], "x")
    assert text.count("same bytes as") == 1 and "same bytes as pr/1550" in text


def test_failed_and_empty_tasks_have_rows() -> None:
    """No task is lost from sight, and text from outside stays text."""
    text = render_index([_row("pr/1", submissions=[], failure=HOSTILE), _row("pr/2", submissions=[])], "x")
    assert 'data-verdict="FAILED"' in text and 'data-verdict="EMPTY"' in text
    assert "adds no submission folder" in text and "FAILED (1)" in text and "LOOKS_CLEAN (" not in text
    assert "<img" not in text


def test_only_existing_reports_are_linked() -> None:
    """A link leads to a file that is there."""
    text = render_index([_row("pr/1"), _row("pr/2")], "x", ["pr-2.html"])
    assert 'href="reports/pr-2.html"' in text and "pr-1.html" not in text
