"""Workflow commands: the runner must see ours and never a submission's."""

from __future__ import annotations

import re

from auditor.limits import GithubLimits
from auditor.model.finding import Effect
from auditor.model.report import JudgedFinding
from auditor.report.github import Annotation, commands, render
from tests.report.sample import finding, report, submission

_COMMAND = re.compile(r"::(error|warning|notice) [^\r\n]*?::[^\r\n]*")


def _read(line: str) -> tuple[str, dict[str, str], str]:
    """Parse a command as the runner does: up to the next two colons, properties split at commas."""
    assert line.startswith("::")
    head, data = line[2:].split("::", 1)
    kind, _, listed = head.partition(" ")
    properties = dict(part.split("=", 1) for part in listed.split(",") if part)
    return kind, properties, data


def test_every_line_is_one_command_of_ours() -> None:
    """No text of a submission starts a line, ends a property or hides a second command."""
    lines = render(report()).splitlines()
    for line in lines:
        assert _COMMAND.fullmatch(line)
        kind, properties, _ = _read(line)
        assert kind in {"error", "warning", "notice"}
        assert set(properties) <= {"file", "line", "title"}
    assert len(lines) == 5
    assert any("stale waiver" in line for line in lines)


def test_a_percent_sign_cannot_forge_an_escape() -> None:
    """Text that looks like an escaped newline stays that text after the runner decodes it."""
    (line,) = commands([Annotation("error", "t", "100%0A::error::x")])
    assert _read(line)[2] == "100%250A::error::x"


def test_ten_of_a_kind_and_the_last_counts_the_rest() -> None:
    """Further annotations would be dropped silently, so the tenth says how many there are."""
    many = tuple(JudgedFinding(finding(message=f"number {n}"), f"{n:032x}") for n in range(25))
    lines = render(report(submission(findings=many))).splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 10
    assert "16 further errors" in errors[-1]


def test_verdicts_come_before_the_notes_of_the_first() -> None:
    """The notices of one submission do not crowd out what was said of the next."""
    notes = tuple(JudgedFinding(finding(effect=Effect.NOTE, message=f"{n}"), f"{n:032x}") for n in range(30))
    lines = render(report(submission(findings=notes), submission(path="records/t/Second"))).splitlines()
    notices = [line for line in lines if line.startswith("::notice")]
    assert len(notices) == 10 and "records/t/Second" in notices[1]


def test_a_remark_without_a_place_names_its_folder_among_several() -> None:
    """With one submission the folder is clear; with two, "no script" has to say whose."""
    placeless = (JudgedFinding(finding(location=None, path=()), "a" * 32),)
    one = submission(findings=placeless)
    (line,) = [line for line in render(report(one)).splitlines() if line.startswith("::error")]
    assert one.path not in line
    two = render(report(one, submission(path="records/t/Second", findings=placeless))).splitlines()
    assert sum(line.startswith("::error") and "::records/t/Second: " in line for line in two) == 1


def test_exactly_ten_are_all_shown() -> None:
    """The count is only needed where something is left out."""
    lines = list(commands([Annotation("notice", "t", str(n)) for n in range(10)], GithubLimits()))
    assert len(lines) == 10 and lines[-1].endswith("::9")


def test_a_decoded_line_points_at_the_shipped_file() -> None:
    """A line of a payload is no line of the diff: the annotation stands at line 1 and names the decoded line."""
    _, properties, data = _read(next(line for line in render(report()).splitlines() if line.startswith("::error")))
    assert properties["line"] == "1"
    assert "decoded layer 1, line 43" in data
