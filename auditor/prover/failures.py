"""Name the kind of failure of a run. Pure functions."""

from __future__ import annotations

import re

from auditor.prover.runlog import RunLog
from auditor.prover.session import Undecided

NATIVE = re.compile(r"CUDA_HOME|nvcc|ninja|\.so\b.*cannot open shared object|c\+\+ extension", re.IGNORECASE)
RANKS = re.compile(r"WORLD_SIZE|torchrun")
STAND_INS = re.compile(r"'(Nothing|StubClass|Stub)'")


def failure(log: RunLog, message: str) -> Undecided:
    """Return what says that a run failed, and the kind of its failure."""
    if log.refused:
        return Undecided("native-helper", f"{message}; a library could not be compiled: {log.refused.strip()[-200:]}")
    return Undecided(error_class(log.error or ""), message)


def error_class(error: str) -> str:
    """Name the kind of failure of a run."""
    kind = error.split(":", 1)[0]
    if NATIVE.search(error):
        return "native-helper"
    if STAND_INS.search(error):
        return "missing-module"
    if RANKS.search(error):
        return "several-ranks"
    if kind in ("ModuleNotFoundError", "ImportError"):
        return "missing-module"
    if kind in ("FileNotFoundError", "PermissionError", "IsADirectoryError", "NotADirectoryError"):
        return "missing-file"
    if kind in ("MemoryError",):
        return "memory"
    return "crash"
