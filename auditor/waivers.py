"""A reviewer's waivers: findings that a person has looked at and that do not count.

The file lives with the reviewer, never inside what is judged: nothing in a submission can silence anything, so a
waiver file below the audited root is refused.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auditor.errors import PgolfError
from auditor.model.report import Waiver

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def read_waivers(path: Path, audited_root: Path | None) -> tuple[Waiver, ...]:
    """Read `[[waiver]]` tables (TOML) or `{"waiver": [...]}` (JSON). Raises PgolfError with what is wrong.

    Each needs `fingerprint`, `reason` and `date` (YYYY-MM-DD); `by` names the reviewer.
    """
    if audited_root is not None and path.resolve().is_relative_to(audited_root.resolve()):
        raise PgolfError(f"{path}: a waiver file must stand outside what is audited")
    try:
        text = path.read_text(encoding="utf-8")
        loaded = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise PgolfError(f"{path}: {error}") from error
    rows = loaded.get("waiver", []) if isinstance(loaded, dict) else None
    if not isinstance(rows, list):
        raise PgolfError(f"{path}: expected a list named 'waiver'")
    return tuple(_waivers(path, rows))


def _waivers(path: Path, rows: list[Any]) -> Iterator[Waiver]:
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        where = f"{path}: waiver {number}"
        if not isinstance(row, dict):
            raise PgolfError(f"{where}: expected a table")
        fingerprint, reason, date = (str(row.get(key, "")).strip() for key in ("fingerprint", "reason", "date"))
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise PgolfError(f"{where}: 'fingerprint' must be the 32 digits that a report prints")
        if fingerprint in seen:
            raise PgolfError(f"{where}: {fingerprint} is waived twice")
        if not reason:
            raise PgolfError(f"{where}: 'reason' is missing")
        try:
            datetime.date.fromisoformat(date)
        except ValueError as error:
            raise PgolfError(f"{where}: 'date' must be YYYY-MM-DD") from error
        seen.add(fingerprint)
        yield Waiver(fingerprint, reason, date, str(row.get("by", "")))
