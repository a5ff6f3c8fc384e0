"""One script out of a package."""

from __future__ import annotations

from pathlib import Path

from auditor.limits import PackLimits


def bundle(folder: Path, entry: str, limits: PackLimits) -> tuple[str, int]:
    raise NotImplementedError
