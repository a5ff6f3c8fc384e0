"""Run the console script as a process, as scripts do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pgolf(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return the finished process; GitHub's variables of the surrounding job are left out."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "PGOLF_"))}
    return subprocess.run(
        [sys.executable, "-c", "from auditor.cli import app; app()", *map(str, arguments)],
        cwd=cwd, env={**kept, **environment}, capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
