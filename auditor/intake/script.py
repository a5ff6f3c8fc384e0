"""Choose the script of a submission: the file that trains and prints the claimed number.

A choice with its reason, never a judgement; a folder whose script is a guess says so and a rule passes that on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from auditor.model.submission import FileEntry, FileKind

_COMMAND = re.compile(rb"(?:torchrun\b[^\n`]*?|python3?(?:\.\d+)?(?:\s+-\S+)*)\s+(?:[\w./-]*/)?([\w.-]+\.py)\b")
_TRAINER = re.compile(r"train\w*\.py", re.IGNORECASE)
_KEYS = ("script", "train_script", "entrypoint", "entry_point", "main", "code")


def choose(files: Sequence[FileEntry], explicit: str | None = None) -> tuple[str | None, str]:
    """Return (path, reason) of the script among the files of one folder; path None where there is none."""
    python = {entry.path: entry for entry in files if entry.path.endswith(".py")}
    if explicit is not None:
        wanted = explicit.removeprefix("./")
        if wanted in {entry.path for entry in files}:
            return wanted, "named with --script"
        return None, f"--script names {explicit}, which this folder does not hold"
    if "train_gpt.py" in python:
        return "train_gpt.py", "the usual name"
    for choice in (_from_manifest, _from_readme):
        name = choice(files, python)
        if name is not None:
            return name
    return _by_name(python)


def ambiguous(reason: str) -> bool:
    """Tell whether a reason says that the script was guessed among several."""
    return reason.startswith("guessed")


def _content(files: Sequence[FileEntry], name: str) -> bytes:
    found = next((e for e in files if e.path.lower() == name and e.kind is FileKind.REGULAR), None)
    return (found.data or b"") if found else b""


def _from_manifest(files: Sequence[FileEntry], python: dict[str, FileEntry]) -> tuple[str, str] | None:
    try:
        manifest = json.loads(_content(files, "submission.json") or b"{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict):
        return None
    for key in _KEYS:
        value = manifest.get(key)
        if isinstance(value, str) and value.removeprefix("./") in python:
            return value.removeprefix("./"), f'named by "{key}" in submission.json'
    return None


def _from_readme(files: Sequence[FileEntry], python: dict[str, FileEntry]) -> tuple[str, str] | None:
    by_base: dict[str, list[str]] = {}
    for path in python:
        by_base.setdefault(path.rsplit("/", 1)[-1], []).append(path)
    for match in _COMMAND.finditer(_content(files, "readme.md")):
        base = match.group(1).decode("ascii", "replace")
        if _TRAINER.fullmatch(base) and len(by_base.get(base, ())) == 1:
            return by_base[base][0], "first training command of README.md"
    return None


def _by_name(python: dict[str, FileEntry]) -> tuple[str | None, str]:
    top = [path for path in python if "/" not in path]
    groups = (
        [p for p in top if p.startswith("train_gpt")],
        [p for p in top if _TRAINER.fullmatch(p)],
        [p for p in python if p.rsplit("/", 1)[-1] == "train_gpt.py"],
        [p for p in python if p.rsplit("/", 1)[-1].startswith("train_gpt")],
        [p for p in python if _TRAINER.fullmatch(p.rsplit("/", 1)[-1])],
        top,
        list(python),
    )
    for group in groups:
        if len(group) == 1:
            return group[0], f"the only candidate by name: {group[0]}"
        if group and group is not groups[-1] and group is not groups[-2]:
            chosen = max(sorted(group), key=lambda path: python[path].size)
            return chosen, f"guessed, the largest of {len(group)}: {', '.join(sorted(group)[:6])}"
    if python:
        return None, f"no training script among {len(python)} Python files"
    return None, "the folder holds no Python file"
