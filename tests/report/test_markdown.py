"""The review comment."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import PathStep
from auditor.model.report import JudgedFinding
from auditor.model.source import Span
from auditor.model.submission import RootProblem
from auditor.model.verdict import Verdict
from auditor.report.formats import Format
from auditor.report.formats import render as render_format
from auditor.report.markdown import MARKER, code, prose, render
from auditor.report.summary import render_outputs, render_summary
from tests.report.sample import finding, report, submission


def test_the_parts_that_reviewers_use_are_there() -> None:
    """Head, lines, quoted source, rulings, what was established, verdict, recommendation, how to dispute."""
    text = render(report())
    assert text.startswith(MARKER + "\n")
    for part in ("0123456789abcdef", "`train_gpt.py:43` (decoded layer 1)", "`loss.backward()`", "issue 677",
                 "### Established", "**COMPLIANCE_FLAG**", "Recommendation: close", "to dispute a finding",
                 "| 42 | 588.1 | 13.2 | 386.7 | 15,990,782 |"):  # fmt: skip
        assert part in text


def test_nobody_is_mentioned_and_no_issue_linked() -> None:
    """Submission text notifies nobody: @names and #numbers outside code are broken."""
    outside = re.sub(r"(`+).*?\1", "", render(report()))
    assert not re.search(r"@\w", outside)
    assert not re.search(r"#\d", outside)


def test_html_of_a_submission_is_text() -> None:
    """Outside code spans every angle bracket is escaped; the marker is the only comment."""
    outside = re.sub(r"(`+).*?\1", "", render(report()).removeprefix(MARKER))
    assert not re.search(r"(?<!\\)<", outside)


@pytest.mark.parametrize("text", ["a`b", "``", "`", "x```y`", ""])
def test_a_code_span_holds_any_backticks(text: str) -> None:
    """The fence is longer than every run inside, so that the span ends where we end it."""
    span = code(text)
    fence = re.match("`+", span)
    assert fence is not None
    inner = span[len(fence.group()) : -len(fence.group())]
    assert fence.group() not in re.findall("`+", inner)


def test_a_line_start_makes_no_list_or_heading() -> None:
    """A message that starts like a block is shown as it is."""
    assert prose("- a") == "\\- a"
    assert prose("1. a") == "1\\. a"
    assert prose("# a") == "\\# a"


def test_a_huge_report_keeps_the_caps_by_whole_sections() -> None:
    """Megabytes of findings end in a comment and a summary below their caps that say what is missing."""
    many = tuple(JudgedFinding(finding(message=f"{n} " + "long " * 390), f"{n:032x}") for n in range(900))
    huge = report(submission(findings=many))
    comment, summary = render(huge), render_summary(huge)
    assert len(comment) <= 65_536
    assert len(summary.encode()) <= 1 << 20
    for text in (comment, summary):
        assert re.search(r"_\d+ further sections do not fit here", text)
    assert comment.count("### PG101") >= 5
    assert comment.count("Fingerprint") == comment.count("### PG101")
    for text in (comment, summary):
        assert "to dispute a finding" in text.splitlines()[-1]


def test_every_verdict_stands_before_the_findings_of_the_first() -> None:
    """What fills the comment is the first submission's; the second one's verdict is not what is cut."""
    many = tuple(JudgedFinding(finding(message=f"{n} " + "long " * 390), f"{n:032x}") for n in range(900))
    text = render(report(submission(findings=many), submission(path="records/t/Second", verdict=Verdict.LOOKS_CLEAN)))
    assert len(text) <= 65_536
    assert text.index("`records/t/Second`: **LOOKS_CLEAN**") < text.index("### PG101")


def test_thousands_of_stray_files_do_not_push_the_verdict_out() -> None:
    """A pull request from a stale fork changes everything; the first few are named and the rest counted."""
    strays = tuple(
        RootProblem(f"{'deep/' * 40}{n}.txt", "removed outside every submission folder") for n in range(5000)
    )
    for text in (render(replace(report(), problems=strays)), render_summary(replace(report(), problems=strays))):
        assert "4,980 further such remarks" in text and "**COMPLIANCE_FLAG**" in text and "### PG101" in text


def test_one_endless_section_costs_only_itself() -> None:
    """A finding whose path alone passes the cap is missing and counted; the others are there."""
    steps = tuple(PathStep("SCORE", Span("train_gpt.py", 1, 2), "f", "x" * 1900) for _ in range(60))
    found = (JudgedFinding(finding(path=steps), "a" * 32), JudgedFinding(finding("PG102"), "b" * 32))
    text = render(report(submission(findings=found)))
    assert "### PG101" not in text and "### PG102" in text and "### Runs" in text
    assert "_1 further sections do not fit here" in text


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (Format.MARKDOWN, "LOG, `a.log:2`: too long"),
        (Format.SARIF, "LOG, line 2: too long"),
        (Format.JUNIT, "LOG a.log:2: too long"),
    ],
    ids=lambda value: value.value if isinstance(value, Format) else "",
)
def test_a_step_outside_every_function_names_none(chosen: Format, wanted: str) -> None:
    """A line of a log is in no function: its place stands alone."""
    logged = JudgedFinding(finding(path=(PathStep("LOG", Span("a.log", 0, 2), "", "too long"),)), "a" * 32)
    assert wanted in render_format(report(submission(findings=(logged,))), chosen)


def test_step_outputs_hold_nothing_of_a_submission() -> None:
    """Lines of GITHUB_OUTPUT are ours: a newline in them would forge an output."""
    assert render_outputs(report(), "FLAG") == "verdict=COMPLIANCE_FLAG\nresult=FLAG\nsubmissions=1\n"
    unreadable = submission(verdict=Verdict.UNREADABLE)
    assert render_outputs(report(unreadable, submission()), "FLAG").startswith("verdict=COMPLIANCE_FLAG\n")
    review = submission(verdict=Verdict.NEEDS_REVIEW)
    assert render_outputs(report(unreadable, review), "NOTHING").startswith("verdict=UNREADABLE\n")


def test_the_default_cap_is_below_githubs() -> None:
    """A comment of more than 65,536 characters is rejected."""
    assert DEFAULT_LIMITS.github.comment_chars < 65_536
