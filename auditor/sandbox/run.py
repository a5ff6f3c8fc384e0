"""The way into the sandbox: checks a request, chooses the level, runs it."""

from __future__ import annotations

import sys
from pathlib import PurePosixPath

from auditor.errors import SandboxUnavailable
from auditor.sandbox.launch import execute
from auditor.sandbox.probe import probe
from auditor.sandbox.request import SandboxLevel, SandboxRequest, SandboxResult


def run(request: SandboxRequest, level: SandboxLevel | None = None) -> SandboxResult:
    """Run `request` at `level`, by default the best one that this machine has.

    A level below LOCK must be asked for by name. Raise SandboxUnavailable when the level cannot be had or the
    supervisor does not start, ValueError when a path of the request leaves the scratch. Blocks; thread safe.
    """
    able = probe()
    chosen = able.best if level is None else level
    if level is None and chosen < SandboxLevel.LOCK:
        raise SandboxUnavailable("no sandbox on this machine: " + "; ".join(able.missing))
    if sys.platform != "linux":
        raise SandboxUnavailable("nothing runs here: the sandbox needs Linux, even without confinement")
    if chosen > able.best:
        raise SandboxUnavailable(f"level {chosen.name} is not available: " + "; ".join(able.missing))
    if request.forks and chosen < SandboxLevel.BWRAP:
        raise SandboxUnavailable("a program that may fork needs bubblewrap, and it is not available here")
    _check_paths(request)
    return execute(request, chosen, able)


def _check_paths(request: SandboxRequest) -> None:
    for path in (*request.files, request.cwd, *request.import_paths):
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or "\0" in path:
            raise ValueError(f"path leaves the scratch: {path!r}")
