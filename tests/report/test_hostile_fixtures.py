"""Every hostile fixture in every format: the output stays what its reader expects, whatever the submission holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator, Draft202012Validator

from auditor.model.report import AuditReport
from auditor.report.formats import Format, render
from auditor.report.json import schema
from auditor.report.load import read_report
from auditor.report.markdown import MARKER
from auditor.report.markdown import render as render_markdown
from auditor.report.summary import render_summary
from auditor.usecases.audit import audit

HOSTILE = Path(__file__).resolve().parents[2] / "fixtures" / "hostile"
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(scope="module")
def hostile() -> AuditReport:
    """All of them in one report, as a checkout would bring them."""
    report = audit(HOSTILE)
    assert len(report.submissions) == len(list(HOSTILE.glob("*/expect.toml")))
    return report


@pytest.mark.parametrize("chosen", list(Format), ids=lambda chosen: chosen.value)
def test_no_character_that_drives_or_hides_is_written(hostile: AuditReport, chosen: Format) -> None:
    """Controls, bidi marks, zero-width characters and lone surrogates are written out as escapes."""
    assert not _RAW.search(render(hostile, chosen))


def test_json_keeps_our_schema_and_sarif_the_official_one(hostile: AuditReport) -> None:
    """One result for every finding, one document for every submission."""
    loaded = json.loads(render(hostile, Format.JSON))
    Draft202012Validator(schema()).validate(loaded)
    sarif = json.loads(render(hostile, Format.SARIF))
    official = Path(__file__).parent / "data" / "sarif-2.1.0-rtm.5.schema.json"
    Draft4Validator(json.loads(official.read_text(encoding="utf-8"))).validate(sarif)
    assert len(sarif["runs"][0]["results"]) == sum(len(one["findings"]) for one in loaded["submissions"])


def test_annotations_are_commands_of_ours_and_no_more_than_ten_of_a_kind(hostile: AuditReport) -> None:
    """The fixtures have logs and names full of commands; each line is an error, a warning or a notice of ours."""
    lines = render(hostile, Format.GITHUB).splitlines()
    assert all(
        re.fullmatch(r"::(error|warning|notice) (file=[^,:]*,line=\d+,)?title=[^,:]*::.*", line) for line in lines
    )
    for kind, count in (("error", 10), ("warning", 10), ("notice", 10)):
        assert sum(line.startswith(f"::{kind} ") for line in lines) <= count
    assert sum("further" in line for line in lines if line.startswith("::warning ")) == 1


def test_junit_has_a_suite_for_each(hostile: AuditReport) -> None:
    """A parser reads it, and the counts add up."""
    root = ElementTree.fromstring(render(hostile, Format.JUNIT))
    assert len(root.findall("testsuite")) == len(hostile.submissions)
    assert root.get("tests") == str(len(root.findall(".//testcase")))


def test_comment_and_summary_name_each_and_stay_below_their_caps(hostile: AuditReport) -> None:
    """From the report itself and from its JSON, which is all that the commenting job has."""
    comment, summary = render_markdown(hostile), render_summary(hostile)
    assert comment.startswith(MARKER) and len(comment) <= 65_536 and len(summary.encode()) <= 1 << 20
    for one in hostile.submissions:
        assert one.path in comment and one.path.replace("|", "&#124;") in summary
    read = read_report(render(hostile, Format.JSON).encode())
    assert [one.verdict for one in read.submissions] == [one.verdict for one in hostile.submissions]
    assert render_markdown(read).startswith(comment[:2000])
