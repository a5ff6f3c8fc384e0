"""Rules PG001 to PG008: what intake and the frontend found odd becomes findings with a place."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

from auditor.frontend.program import load_program
from auditor.limits import DEFAULT_LIMITS
from auditor.model.evidence import Claim, Evidence, Headline, SeedRow
from auditor.model.finding import Effect, Finding, Pass, Ruling
from auditor.model.submission import FileEntry, FileKind, Submission, Track
from auditor.rules.context import RuleContext
from auditor.rules.data import cards, edition

NEWER = 'x = []\nprint(f"{", ".join(x)}")\nprint(f"{x["a"]}")\n'
RULES = {
    "PG001": "pg001_odd_entries",
    "PG002": "pg002_no_script",
    "PG003": "pg003_not_python",
    "PG004": "pg004_target_python",
    "PG005": "pg005_opaque_layer",
    "PG006": "pg006_copies",
    "PG007": "pg007_modified_folder",
    "PG008": "pg008_ambiguous_script",
}


def run(rule: str, submission: Submission, python: str | None = None) -> list[Finding | Pass]:
    claim = Claim(None, "")
    context = RuleContext(
        card=cards()[rule],
        edition=edition("2026-05-02"),
        submission=submission,
        program=load_program(submission, "3.10", DEFAULT_LIMITS),
        analysis=None,
        evidence=Evidence(claim, Headline(None, ""), seeds=(SeedRow("a.log", python=python),)),
    )
    return list(importlib.import_module(f"auditor.rules.{RULES[rule]}").check(context))


def folder(source: str = "x = 1\n", *others: FileEntry) -> Submission:
    data = source.encode()
    entry = FileEntry("train_gpt.py", FileKind.REGULAR, len(data), data, "0")
    return Submission("a", "a", Track.RECORD, (entry, *others), "train_gpt.py", "train_gpt.py")


CLEAN = folder()
CASES = {
    "PG001": folder("x = 1\n", FileEntry("l.log", FileKind.SYMLINK, 3, detail="/etc/passwd")),
    "PG002": replace(CLEAN, script=None, script_reason="the folder holds no Python file"),
    "PG003": folder("# nothing\n"),
    "PG004": folder(NEWER),
    "PG005": folder("import os\nexec(os.environ['X'])\n"),
    "PG006": replace(CLEAN, copy_of="b"),
    "PG007": replace(CLEAN, modified=True),
    "PG008": replace(CLEAN, script_reason="guessed, the largest of 2: a, b"),
}


@pytest.mark.parametrize("rule", CASES)
def test_each_rule_fires_on_its_case_and_not_on_a_clean_folder(rule: str) -> None:
    """Each rule has a finding on its own case, none on a plain folder, and never a legality flag."""
    found = [item for item in run(rule, CASES[rule]) if isinstance(item, Finding)]
    assert [item.rule for item in found] == [rule]
    assert found[0].effect is not Effect.FLAG
    assert not [item for item in run(rule, CLEAN) if isinstance(item, Finding)]


def test_target_python_message_helps_the_author() -> None:
    """Place, line, rewrite, minimum version, the source of the 3.10 claim and the logs' own version are all said."""
    (finding,) = (item for item in run("PG004", CASES["PG004"], "3.12.3") if isinstance(item, Finding))
    assert (finding.ruling, finding.effect) == (Ruling.VIOLATION, Effect.ACTION)
    assert finding.location is not None
    assert (finding.location.line, finding.location.column) == (2, 10)
    assert [(step.span.line, step.span.column) for step in finding.path] == [(2, 10), (3, 12)]
    for part in ("line 2, column 10", "Python >= 3.12", "f\"{', '.join(x)}\"", "reviewer's claim", "3.12.3", "3:12"):
        assert part in finding.message


def test_pass_of_the_target_python_is_a_sentence() -> None:
    """One file parses; a script and its layers parse."""
    (passed,) = run("PG004", CLEAN)
    assert isinstance(passed, Pass) and passed.established.startswith("the script parses on Python 3.10")


def test_broken_source_is_not_a_version_problem() -> None:
    """What no version parses belongs to PG003 alone."""
    broken = folder("x = (\n")
    assert [type(item) for item in run("PG003", broken)] == [Finding]
    assert run("PG004", broken) == []


def test_large_binary_is_a_note() -> None:
    """An oversize artifact without code is noted, an oversize log asks for review."""
    effects = {
        name: run("PG001", folder("x = 1\n", FileEntry(name, FileKind.OVERSIZE, 10**9)))[0].effect  # type: ignore[union-attr]
        for name in ("model.bin", "train.log")
    }
    assert effects == {"model.bin": Effect.NOTE, "train.log": Effect.REVIEW}
