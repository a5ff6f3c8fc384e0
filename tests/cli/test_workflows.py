"""The action and the workflows: linted, and split as the security model says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.run import ROOT

_WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def _tool(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_zizmor_finds_nothing() -> None:
    """The security linter is content with the workflows and the action; what is ignored says why in place."""
    command = [_tool("zizmor"), "--offline", "--no-progress", *map(str, _WORKFLOWS), str(ROOT / "action.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing() -> None:
    """The syntax linter, where it is installed (its package downloads a binary, which not every machine can)."""
    done = subprocess.run([_tool("actionlint"), *map(str, _WORKFLOWS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*_WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_every_foreign_action_is_pinned_to_a_commit(path: Path) -> None:
    """A tag can be moved; forty digits cannot."""
    raw = _load(path)
    steps = [*raw.get("runs", {}).get("steps", ()), *(s for job in raw.get("jobs", {}).values() for s in job["steps"])]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    for name in used:
        assert name == "./base" or len(name.partition("@")[2]) == 40


def test_the_job_that_reads_the_pull_request_may_write_nothing() -> None:
    """It runs on pull_request with a read-only token, no secrets, and leaves no credentials behind."""
    raw = _load(ROOT / ".github" / "workflows" / "pgolf-gate.yml")
    assert list(raw[True]) == ["pull_request"]
    assert raw["permissions"] == {}
    (job,) = raw["jobs"].values()
    assert job["permissions"] == {"contents": "read"}
    checkouts = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False, False]
    assert not [step for step in job["steps"] if "run" in step]
    assert "secrets." not in (ROOT / ".github" / "workflows" / "pgolf-gate.yml").read_text()


def test_the_job_that_may_comment_checks_out_nothing_of_the_pull_request() -> None:
    """It runs the default branch's code on one JSON file, and puts no event text into a shell."""
    path = ROOT / ".github" / "workflows" / "pgolf-comment.yml"
    (job,) = _load(path)["jobs"].values()
    (checkout,) = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert "ref" not in checkout["with"]
    assert all("${{" not in step["run"] for step in job["steps"] if "run" in step)
    assert "${{" not in job["steps"][-1]["with"]["script"]
    (comment,) = [step for step in job["steps"] if "pgolf" in step.get("run", "") and " comment " in step["run"]]
    assert '--head "$HEAD_SHA"' in comment["run"] and "workflow_run.head_sha" in comment["env"]["HEAD_SHA"]
    assert set(job["permissions"]) == {"actions", "contents", "pull-requests"}


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.name)
def test_no_workflow_puts_an_expression_into_a_shell(path: Path) -> None:
    """Inputs and matrix values reach a script as environment variables only."""
    for job in _load(path)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_the_corpus_workflow_joins_every_shard_and_may_write_nothing() -> None:
    """The parts are counted from 1 to the size of the matrix, and the joining job waits for all of them."""
    raw = _load(ROOT / ".github" / "workflows" / "pgolf-corpus.yml")
    shard, merge = raw["jobs"]["shard"], raw["jobs"]["merge"]
    parts = shard["strategy"]["matrix"]["shard"]
    assert parts == list(range(1, len(parts) + 1))
    (audit,) = [step for step in shard["steps"] if "pgolf corpus " in step.get("run", "")]
    assert audit["env"]["SHARD"] == "${{ matrix.shard }}/${{ strategy.job-total }}"
    assert merge["needs"] == "shard" and any("pgolf corpus-merge" in step.get("run", "") for step in merge["steps"])
    assert raw["permissions"] == {} and shard["permissions"] == merge["permissions"] == {"contents": "read"}


def test_the_action_puts_no_input_into_a_shell() -> None:
    """Inputs reach the script as environment variables only."""
    for step in _load(ROOT / "action.yml")["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_hook_names_an_existing_command() -> None:
    """What pre-commit runs is a command of this package."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "pgolf audit" and hook["pass_filenames"] is False
