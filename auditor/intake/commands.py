"""Run commands that a submission states in its README (fenced blocks first) and its shell scripts, with their settings.

They tell how the authors say the run was started (PR authors often leave a feature off in code and switch it on here).
Nothing is executed and nothing is expanded that is not written out: a value with an unresolved variable is left out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath

from auditor.intake.decode import decode
from auditor.limits import CommandLimits
from auditor.model.submission import Submission

_FENCE = re.compile(r"\s{0,12}(?:```+|~~~+)\s*([\w+-]*)")
_NOT_SHELL = frozenset({"python", "py", "json", "diff", "toml", "yaml", "c", "cpp", "cuda", "latex", "math", "mermaid"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.S)
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*=")
_QUOTED = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_DEFAULT = re.compile(r"\$\{\w+:?-([^{}$]*)\}")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LAUNCHERS = frozenset({"torchrun", "python", "python3", "uv", "accelerate", "srun", "mpirun", "deepspeed", "env"})
_ALONE_MIN = 2
"""Assignments that make a block without a launch line a statement of run settings; with a remark to any of them it is a
description of settings."""


@dataclass(frozen=True, slots=True)
class RunCommand:
    """One launch of a script as the submission states it, or (`argv` empty) a block of settings alone."""

    env: dict[str, str]
    argv: tuple[str, ...]
    file: str
    line: int
    """Where the command begins."""

    @property
    def script(self) -> str | None:
        """Return the Python file that is launched."""
        return next((word for word in self.argv if word.endswith(".py")), None)


def run_commands(submission: Submission, limits: CommandLimits) -> tuple[RunCommand, ...]:
    """Return the run commands of a submission: READMEs first, then shell scripts, in the order of the files."""
    found: list[RunCommand] = []
    for entry in sorted(submission.files, key=lambda item: (not _is_readme(item.path), item.path)):
        if entry.data is None or entry.size > limits.file_bytes:
            continue
        if _is_readme(entry.path):
            lines = _lines(entry.data)
            blocks = chain(_fenced(lines), _inline(lines))
        elif entry.path.endswith((".sh", ".bash")):
            blocks = chain([(1, _lines(entry.data))])
        else:
            continue
        for start, block in blocks:
            found.extend(_commands(block, start, entry.path))
            if len(found) >= limits.commands:
                return tuple(found[: limits.commands])
    return tuple(found)


def _is_readme(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.suffix.lower() in (".md", ".markdown") and (pure.stem.lower().startswith("readme") or "/" not in path)


def _lines(data: bytes) -> list[str]:
    return decode(data)[0].split("\n")


def _fenced(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (first line number, lines) of every fenced block that may hold shell text."""
    start: int | None = None
    for number, line in enumerate(lines, start=1):
        match = _FENCE.match(line)
        if not match:
            continue
        if start is None:
            start = number + 1
            wanted = match[1].lower() not in _NOT_SHELL
        else:
            if wanted:
                yield start, list(lines[start - 1 : number - 1])
            start = None


def _inline(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, text) of every launch that stands in a sentence between backticks, outside fenced blocks."""
    fenced = False
    for number, line in enumerate(lines, start=1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            for text in _QUOTED.findall(line):
                words = _assignments(_split(text))[1]
                if words and _is_launch(words):
                    yield number, [text]


def _commands(lines: Sequence[str], start: int, file: str) -> Iterator[RunCommand]:
    exported: dict[str, str] = {}
    loose: dict[str, str] = {}
    launched = described = False
    for number, statement in _statements(lines, start):
        words = _split(_expanded(statement, {**loose, **exported}))
        if not words:
            continue
        described |= "#" in statement
        env, rest = _assignments(words)
        if rest and rest[0] == "export":
            exported.update(_assignments(rest[1:])[0])
        elif rest and _is_launch(rest):
            if rest[0] == "env":
                more, rest = _assignments(rest[1:])
                env.update(more)
            more, rest = _before_script(rest)
            env.update(more)
            launched = True
            yield RunCommand({**loose, **exported, **env}, tuple(rest), file, number)
        elif not rest:
            loose.update({key: value for key, value in env.items() if key.isupper()})
    if not launched and not described and len(loose | exported) >= _ALONE_MIN:
        yield RunCommand({**loose, **exported}, (), file, start)


def _expanded(statement: str, known: dict[str, str]) -> str:
    """Write out variables that the same text has set before."""
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[0]), statement)


def _statements(lines: Sequence[str], start: int) -> Iterator[tuple[int, str]]:
    """Join continued lines; yield (number of the first, text) of every statement."""
    held, first = "", start
    for number, line in enumerate(lines, start=start):
        text = line.strip()
        if not held:
            first = number
            text = re.sub(r"^(?:\$|>)\s+", "", text)
        if text.startswith("#"):
            continue
        if text.endswith("\\"):
            held += text[:-1] + " "
            continue
        for part in re.split(r"\s*(?:&&|;)\s*", held + text):
            yield first, re.sub(r"^(?:do|then)\s+", "", part)
        held = ""
    if held:
        yield first, held


def _split(statement: str) -> list[str]:
    try:
        return shlex.split(_DEFAULT.sub(r"\1", statement), comments=True)
    except ValueError:
        return statement.split()


def _assignments(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    env: dict[str, str] = {}
    for index, word in enumerate(words):
        match = _ASSIGNMENT.fullmatch(word)
        if not match:
            return env, list(words[index:])
        if "$" not in match[2] and "`" not in match[2]:
            env[match[1]] = match[2]
    return env, []


def _before_script(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take settings out that a launch states between the launcher and the script: a shell passes them on as words."""
    script = next((i for i, word in enumerate(words) if word.endswith(".py")), len(words))
    stated = [word for word in words[1:script] if _SETTING.match(word)]
    return _assignments(stated)[0], [word for i, word in enumerate(words) if i >= script or word not in stated]


def _is_launch(words: Sequence[str]) -> bool:
    launcher = PurePosixPath(words[0]).name
    return (launcher in _LAUNCHERS or launcher.startswith("python3.")) and any(word.endswith(".py") for word in words)
