"""Printed settings against the shipped script, and across the runs of one submission."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.model.logs import LogFile
from auditor.model.source import Program

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_PER_RUN = re.compile(
    r"seed|run_id|runid|rank|logfile|log_file|path|dir$|_dir|files?$|file_|device|host|time(?!r)|date|uuid|name|wandb|port"
    r"|is_main|artifact|output|checkpoint",
    re.I,
)
BLOCK_MIN = 10
"""Settings in a block below which it says too little about the script."""


@dataclass(frozen=True, slots=True)
class UnknownSettings:
    """Settings that a log prints in its block and that the shipped code nowhere names."""

    log: LogFile
    active: tuple[str, ...]
    """With a value that is not off (True, a number other than 0, a text)."""
    inactive: tuple[str, ...]
    share: float
    """Of all settings of the block."""


def unknown_settings(log: LogFile, program: Program) -> UnknownSettings | None:
    """Return what the block prints and the code does not name; None without a block of at least ten settings."""
    names = log.settings_block
    if len(names) < BLOCK_MIN:
        return None
    known = identifiers(program)
    missing = sorted(name for name in names if name.lower() not in known)
    active = tuple(name for name in missing if is_on(log.hyperparameters[name][0]))
    return UnknownSettings(
        log, active, tuple(name for name in missing if name not in active), len(missing) / len(names)
    )


def identifiers(program: Program) -> frozenset[str]:
    """Return every identifier-like word of the shipped code in lower case, strings included."""
    words: set[str] = set()
    for module in (program.main, *program.helpers):
        words.update(word.lower() for word in _IDENTIFIER.findall(module.unpacked.payload.text))
    return frozenset(words)


def is_on(value: str) -> bool:
    """Say whether a printed value switches something on."""
    text = value.strip().strip("\"'").lower()
    if text in ("", "false", "none", "null", "off", "no", "[]", "()", "{}"):
        return False
    try:
        return float(text) != 0.0
    except ValueError:
        return True


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that differs between two runs of a submission."""

    name: str
    first: tuple[str, str, int]
    """File, value, line."""
    second: tuple[str, str, int]


def differing_settings(logs: Sequence[LogFile]) -> Iterator[Difference]:
    """Yield settings of the blocks that differ between runs, seeds, paths and names of the run left out."""
    with_block = [log for log in logs if len(log.settings_block) >= BLOCK_MIN]
    if len(with_block) < 2:
        return
    base = with_block[0]
    for name in sorted(base.settings_block):
        if _PER_RUN.search(name):
            continue
        value, line = base.hyperparameters[name]
        for other in with_block[1:]:
            if name in other.settings_block and not _same(value, other.hyperparameters[name][0]):
                theirs = other.hyperparameters[name]
                yield Difference(name, (base.file, value, line), (other.file, theirs[0], theirs[1]))
                break


def _same(first: str, second: str) -> bool:
    """Say whether two printed values are one: the same text, or the same number in other digits."""
    try:
        return first == second or float(first) == float(second)
    except ValueError:
        return False
