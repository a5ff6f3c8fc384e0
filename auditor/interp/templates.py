"""Lines that a program can print, read from its syntax: constant fragments of log calls, and matching them to logs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.model.logs import LineKind, LogFile

MIN_FRAGMENT = 6
"""Constant characters that a template needs before a match means anything."""


@dataclass(frozen=True, slots=True)
class LogText:
    """The log part of the main logs, as one text for quick look-ups and as lines with their place."""

    blob: str
    lines: tuple[tuple[str, int, str], ...]
    """(file, line, text)."""
    headline: str | None = None
    """The file that carries the claimed number."""

    @property
    def complete(self) -> bool:
        """True where there is enough of a log that the absence of a line means something."""
        return len(self.lines) >= 20

    def of_headline(self) -> LogText | None:
        """Return the part in the log that carries the claimed number, None where none is known to."""
        own = tuple(line for line in self.lines if line[0] == self.headline)
        return LogText("\n".join(text for _, _, text in own), own, self.headline) if own else None


def log_text(logs: tuple[LogFile, ...], headline: str | None) -> LogText:
    """Collect the log lines of the main logs and of the one that carries the headline; of all where there is none."""
    chosen = [log for log in logs if log.main or log.file == headline] or list(logs)
    lines = [(log.file, line.number, line.text) for log in chosen for line in log.lines if line.kind is LineKind.LOG]
    return LogText("\n".join(text for _, _, text in lines), tuple(lines), headline)


def fragments(node: ast.expr) -> list[str] | None:
    """Return the constant fragments of a string expression in order, None where it is not one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return [str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = fragments(node.left), fragments(node.right)
        return [*(left or ["\0"]), *(right or ["\0"])] if left or right else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        template = fragments(node.left)
        return re.split(r"%[-+ #0]*\d*(?:\.\d+)?[sdfgeixr]", template[0]) if template else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        template = fragments(node.func.value)
        return re.split(r"\{[^{}]*\}", template[0]) if template else None
    return None


def printed_templates(body: list[ast.stmt]) -> Iterator[tuple[str, ...]]:
    """Yield templates of calls that stand directly in a block (not in nested blocks), as fragment tuples."""
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            for argument in statement.value.args[:2]:
                found = fragments(argument)
                if found is not None:
                    joined = "".join(found).split("\0")
                    if max((len(part.strip()) for part in joined), default=0) >= MIN_FRAGMENT:
                        yield tuple(joined)


def find_line(template: tuple[str, ...], text: LogText) -> tuple[str, int] | None:
    """Return (file, line) of the first log line that the template can have printed, None where there is none."""
    longest = max(template, key=len).strip()
    if longest not in text.blob:
        return None
    pattern = re.compile("[^\n]{0,400}?".join(re.escape(part.strip("\n")) for part in template))
    for file, number, line in text.lines:
        if longest in line and pattern.search(line):
            return file, number
    return None
