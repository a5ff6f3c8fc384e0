"""Names of findings that survive edits elsewhere."""

from __future__ import annotations

from auditor.model.source import Span
from auditor.report.fingerprint import fingerprints
from tests.report.sample import FILE, finding


def _named(*findings: object, name: str = "A", line: str | None = "loss.backward()") -> list[str]:
    return list(fingerprints(findings, name, lambda span: line))  # type: ignore[arg-type]


def test_moving_the_line_keeps_the_name() -> None:
    """Line numbers, columns, layers and white space do not go into it."""
    before = _named(finding(location=Span(FILE, 1, 43)))
    assert before == _named(finding(location=Span(FILE, 1, 90, 9)), line="   loss.backward()  ")


def test_another_line_rule_or_submission_changes_the_name() -> None:
    """What the finding is about is what names it."""
    names = {*_named(finding()), *_named(finding(), line="x"), *_named(finding("PG102")), *_named(finding(), name="B")}
    assert len(names) == 4


def test_equal_findings_are_told_apart() -> None:
    """Two findings of one rule on equal lines have two names, in order."""
    first, second = _named(finding(), finding())
    assert first != second
    assert _named(finding()) == [first]


def test_without_a_line_the_message_decides() -> None:
    """A changed number is another finding: a waiver for 16,000,100 bytes says nothing of 17,000,000."""
    one = _named(finding(location=None, message="16,000,100 bytes"))
    assert one != _named(finding(location=None, message="17,000,000 bytes"))
