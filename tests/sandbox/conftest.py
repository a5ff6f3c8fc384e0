"""Levels of this machine, and the hostile programs run once per level for the whole session."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from sandbox_cases import CASES
from sandbox_driver import judge_all

from auditor.sandbox.probe import probe
from auditor.sandbox.request import SandboxLevel

_REPOSITORY = Path(__file__).parents[2]
_PLAIN_UID = "61234"


@functools.cache
def verdicts(mode: str) -> dict[str, list[str]]:
    """Return what each hostile program reached in `mode`; skip where this machine cannot show it."""
    level = SandboxLevel[mode.split()[0].upper()]
    if probe().best < level:
        pytest.skip("; ".join(probe().missing))
    if "plain" not in mode:
        return judge_all(level, list(CASES))
    if os.geteuid() != 0:
        pytest.skip("this run is a plain user's already")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    setpriv = shutil.which("setpriv")
    if python is None or setpriv is None:
        pytest.skip("needs setpriv and an interpreter that every user can reach")
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info >= (3, 10))"], capture_output=True)
    reachable = os.access(_REPOSITORY, os.R_OK) and version.stdout.strip() == b"True"
    if not reachable:
        pytest.skip("the system's Python is older than 3.10")
    command = [setpriv, "--reuid", _PLAIN_UID, "--regid", _PLAIN_UID, "--clear-groups", python]
    paths = os.pathsep.join([str(_REPOSITORY), str(Path(__file__).parent)])
    done = subprocess.run(
        [*command, str(Path(__file__).parent / "sandbox_driver.py"), level.name],
        capture_output=True,
        env={"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin", "TOKEN": "hunter2"},
        cwd="/",
    )
    if b"is not available" in done.stderr or b"Permission denied" in done.stderr:
        pytest.skip(f"a plain user has no such sandbox here: {done.stderr[-200:]!r}")
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="session")
def hostile():
    """Return the function mode -> program -> what it reached."""
    return verdicts


@pytest.fixture(params=[level for level in (SandboxLevel.BWRAP, SandboxLevel.LOCK) if probe().best >= level])
def level(request: pytest.FixtureRequest) -> SandboxLevel:
    """Each level that this machine has."""
    chosen: SandboxLevel = request.param
    return chosen
