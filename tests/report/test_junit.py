"""JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from auditor.model.report import JudgedFinding, Waiver
from auditor.report.junit import render
from tests.report.sample import finding, report, submission


def test_hostile_text_is_well_formed_xml() -> None:
    """Controls, surrogates, CDATA ends and markup survive a parser as text."""
    root = ElementTree.fromstring(render(report()))
    failure = root.find(".//failure")
    assert failure is not None
    assert "<img src=x" in failure.attrib["message"]


def test_counts_agree_with_the_cases() -> None:
    """One verdict, one pass, one failure, one skipped review."""
    root = ElementTree.fromstring(render(report()))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "1", "1")


def test_waived_and_latent_findings_do_not_fail() -> None:
    """They are reported as output of a passing case."""
    waived = JudgedFinding(finding(), "a" * 32, Waiver("a" * 32, "looked at", "2026-05-01"))
    latent = JudgedFinding(finding(latent="TTT_ENABLED=1"), "b" * 32)
    root = ElementTree.fromstring(render(report(submission(findings=(waived, latent)))))
    assert root.get("failures") == "0"
