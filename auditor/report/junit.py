"""JUnit XML for CI dashboards: a submission is a suite, a rule that spoke is a test case."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from auditor.limits import DEFAULT_LIMITS, ReportLimits
from auditor.model.finding import Effect
from auditor.model.report import AuditReport, JudgedFinding, SubmissionReport
from auditor.report.visible import visible

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: AuditReport, limits: ReportLimits = DEFAULT_LIMITS.report) -> str:
    """Return the XML; what asks for a flag or an action fails, what cannot be proved is skipped with its reason."""
    root = ElementTree.Element("testsuites", {"name": f"pgolf {report.version}, edition {report.edition}"})
    for submission in report.submissions:
        root.append(_suite(submission, limits))
    for name in ("tests", "failures", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(submission: SubmissionReport, limits: ReportLimits) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", {"name": _text(submission.path, limits)})
    verdict = ElementTree.SubElement(
        suite, "testcase", {"classname": _text(submission.path, limits), "name": "verdict"}
    )
    ElementTree.SubElement(verdict, "system-out").text = f"{submission.verdict.value}: {submission.recommendation}"
    for passed in submission.passes:
        case = _case(suite, submission, passed.rule, limits)
        ElementTree.SubElement(case, "system-out").text = _text(passed.established, limits)
    for judged in submission.findings:
        _finding(_case(suite, submission, f"{judged.finding.rule} {judged.finding.slug}", limits), judged, limits)
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return suite


def _case(
    suite: ElementTree.Element, submission: SubmissionReport, name: str, limits: ReportLimits
) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": _text(submission.path, limits), "name": name})


def _finding(case: ElementTree.Element, judged: JudgedFinding, limits: ReportLimits) -> None:
    finding = judged.finding
    message = _text(finding.message, limits)
    counts = judged.waiver is None and finding.latent is None
    if counts and finding.effect in (Effect.FLAG, Effect.ACTION):
        failure = ElementTree.SubElement(case, "failure", {"message": message, "type": finding.ruling.value})
        failure.text = "\n".join(_path(judged, limits))
    elif counts and finding.effect is Effect.REVIEW:
        ElementTree.SubElement(case, "skipped", {"message": f"review by hand: {message}"})
    else:
        waived = "" if judged.waiver is None else f" (waived: {_text(judged.waiver.reason, limits)})"
        ElementTree.SubElement(case, "system-out").text = message + waived


def _path(judged: JudgedFinding, limits: ReportLimits) -> list[str]:
    lines = [f"fingerprint {judged.fingerprint}"]
    for number, step in enumerate(judged.finding.path[: limits.path_steps], start=1):
        layer = f"[{step.span.layer}]" if step.span.layer else ""
        where = f"{step.span.file}{layer}:{step.span.line}"
        function = f" {step.function}" if step.function else ""
        lines.append(_text(f"{number}. {step.event} {where}{function}: {step.message}", limits))
    return lines


def _text(text: str, limits: ReportLimits) -> str:
    """Return text that XML 1.0 can carry: `visible` leaves a few characters that it cannot."""
    return _NOT_XML.sub("?", visible(text, limits.message_chars))
