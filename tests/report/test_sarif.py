"""SARIF against the official schema and GitHub's limits."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft4Validator

from auditor.limits import SarifLimits
from auditor.model.finding import PathStep
from auditor.model.report import JudgedFinding, Waiver
from auditor.model.source import Span
from auditor.report.sarif import render
from tests.report.sample import FILE, finding, report, submission


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    path = Path(__file__).parent / "data" / "sarif-2.1.0-rtm.5.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _log(**changes: object) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(render(report(submission(**changes))))
    Draft4Validator(_schema()).validate(loaded)
    return loaded


def test_hostile_text_keeps_the_schema() -> None:
    """The sample, full of text that tries to break out, is valid SARIF 2.1.0."""
    run = _log()["runs"][0]
    assert [result["ruleId"] for result in run["results"]] == ["PG101", "PG901"]
    assert run["results"][0]["level"] == "error"


def test_the_evidence_path_is_a_code_flow_in_order() -> None:
    """Steps keep their order and name the decoded line, which the shipped file does not have."""
    flow = _log()["runs"][0]["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [step["executionOrder"] for step in flow] == [1, 2]
    assert "decoded line 43" in flow[0]["location"]["message"]["text"]
    assert flow[0]["location"]["physicalLocation"]["region"] == {"startLine": 1}


def test_fingerprints_are_ours() -> None:
    """A service matches results by our fingerprint and not by lines."""
    assert _log()["runs"][0]["results"][0]["partialFingerprints"] == {"pgolf/v1": "a" * 32}


def test_a_waiver_is_a_suppression() -> None:
    """A waived finding is still reported, as suppressed from outside."""
    waived = JudgedFinding(finding(), "a" * 32, Waiver("a" * 32, "looked at", "2026-05-01"))
    assert _log(findings=(waived,))["runs"][0]["results"][0]["suppressions"][0]["kind"] == "external"


def test_uris_stay_below_the_root() -> None:
    """A path that climbs or holds odd characters becomes a relative, quoted URI."""
    climbing = finding(location=Span("../../etc/pass wd#?.py", 0, 3), path=())
    result = _log(findings=(JudgedFinding(climbing, "a" * 32),))["runs"][0]["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert ".." not in unquote(uri).split("/") and " " not in uri and "#" not in uri and not uri.startswith("/")


def test_the_limits_of_the_upload_are_kept() -> None:
    """Too many findings with long paths shrink to what the service takes, and the rest is counted."""
    steps = tuple(PathStep("SCORE", Span(FILE, 1, 2), "f", "x" * 5000) for _ in range(30))
    many = tuple(JudgedFinding(finding(path=steps), f"{number:032x}") for number in range(40))
    limits = SarifLimits(results=15, flow_steps=10, message_chars=100)
    loaded = json.loads(render(report(submission(findings=many)), limits))
    Draft4Validator(_schema()).validate(loaded)
    run = loaded["runs"][0]
    assert len(run["results"]) == 15
    assert len(run["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"]) == 10
    assert "25 further results" in json.dumps(run["invocations"])


def test_the_size_of_an_upload_is_kept() -> None:
    """Long evidence paths of many findings could pass ten megabytes: the last results go, and are counted."""
    steps = tuple(PathStep("SCORE", Span(FILE, 1, 2), "f", "x" * 500) for _ in range(30))
    many = tuple(JudgedFinding(finding(path=steps), f"{number:032x}") for number in range(100))
    loaded = json.loads(render(report(submission(findings=many)), SarifLimits(result_bytes=500_000)))
    Draft4Validator(_schema()).validate(loaded)
    (run,) = loaded["runs"]
    assert 5 < len(run["results"]) < 50 and len(json.dumps(run["results"])) < 500_000
    assert f"{100 - len(run['results'])} further results" in json.dumps(run["invocations"])
