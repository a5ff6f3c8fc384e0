"""Ten megabytes of findings: every format stays valid and below its cap."""

from __future__ import annotations

import gzip
import json
from xml.etree import ElementTree

import pytest

from auditor.model.report import AuditReport, JudgedFinding
from auditor.report.formats import Format, render
from auditor.report.summary import render_summary
from tests.report.sample import finding, report, submission


@pytest.fixture(scope="module")
def huge() -> AuditReport:
    """A thousand findings of eleven kilobytes each."""
    message = "long words " * 1000
    findings = tuple(
        JudgedFinding(finding(message=f"{number} {message}", path=()), f"{number:032x}") for number in range(1000)
    )
    return report(submission(findings=findings))


def test_json_and_sarif_stay_json(huge: AuditReport) -> None:
    """JSON keeps all, SARIF keeps what the service takes."""
    text = render(huge, Format.JSON)
    assert len(text) > 10_000_000
    assert len(json.loads(text)["submissions"][0]["findings"]) == 1000
    sarif = render(huge, Format.SARIF)
    assert len(json.loads(sarif)["runs"][0]["results"]) == 1000
    assert len(gzip.compress(sarif.encode())) < 10_000_000


def test_markdown_annotations_and_summary_stay_small(huge: AuditReport) -> None:
    """What GitHub would reject or drop is never made."""
    assert len(render(huge, Format.MARKDOWN)) <= 65_536
    assert len(render(huge, Format.GITHUB).splitlines()) <= 30
    assert len(render_summary(huge).encode()) <= 1 << 20


def test_junit_stays_xml(huge: AuditReport) -> None:
    """Every finding is a case."""
    assert len(ElementTree.fromstring(render(huge, Format.JUNIT)).findall(".//failure")) == 1000


def test_html_stays_one_document(huge: AuditReport) -> None:
    """It grows with the findings, and ends where it should."""
    text = render(huge, Format.HTML)
    assert text.count("<html") == 1 and text.rstrip().endswith("</html>")
    assert text.count('class="finding"') == 1000
