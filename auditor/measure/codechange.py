"""How the shipped script differs from the source that a log prints of itself.

A difference is routine (two of five submissions with a dump have one): winning settings baked in as defaults, comments,
packing. So the difference is classified, and only the class and the lines are reported.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from auditor.frontend.parse import parse
from auditor.model.logs import LineKind, LogFile

_ENV_DEFAULT = re.compile(r"(environ(?:\.get\(|\[)\s*[\"'](\w+)[\"'])\s*,\s*[^)]*\)")
_MESSAGE = re.compile(r"\b(?:print|log0?|logger?\.\w+)\(|^\s*f?[\"']")
_SHARED_MIN = 0.3
"""Share of common lines below which two files are two programs."""


@dataclass(frozen=True, slots=True)
class CodeChange:
    """The class of a difference, and a few of the lines that differ."""

    kind: str
    """same, comments, seed default, environment defaults, messages, lines, another program."""
    removed: int = 0
    added: int = 0
    line: int | None = None
    """First line of the log's dump that the shipped script lacks."""
    examples: tuple[str, ...] = ()

    @property
    def routine(self) -> bool:
        """Say whether the difference cannot change what the script computes, apart from its defaults."""
        return self.kind in ("same", "comments", "seed default", "environment defaults", "messages")


def dumped_source(log: LogFile) -> list[tuple[int, str]]:
    """Return the last dump of source in a log as (line number, text)."""
    dumps: list[list[tuple[int, str]]] = []
    last = -2
    for line in log.lines:
        if line.kind is LineKind.DUMP:
            if line.number != last + 1:
                dumps.append([])
            dumps[-1].append((line.number, line.raw))
            last = line.number
    return dumps[-1] if dumps else []


def code_change(dump: list[tuple[int, str]], shipped: str) -> CodeChange:
    """Compare a dump with the shipped source, ignoring the order of lines and blank lines."""
    old = Counter(text.rstrip() for _, text in dump if text.strip())
    new = Counter(line.rstrip() for line in shipped.removeprefix("\ufeff").split("\n") if line.strip())
    removed, added = list((old - new).elements()), list((new - old).elements())
    if not removed and not added:
        return CodeChange("same")
    kind = _kind(removed, added, sum(old.values()), "\n".join(text for _, text in dump), shipped)
    gone = set(removed)
    first = next((number for number, text in dump if text.rstrip() in gone), dump[0][0] if dump else None)
    examples = tuple(f"-{text.strip()[:120]}" for text in removed[:2]) + tuple(
        f"+{text.strip()[:120]}" for text in added[:2]
    )
    return CodeChange(kind, len(removed), len(added), first, examples)


def _kind(removed: list[str], added: list[str], total: int, dump: str, shipped: str) -> str:
    changed = removed + added
    if all(text.lstrip().startswith("#") for text in changed):
        return "comments"
    if all(_ENV_DEFAULT.search(text) for text in changed) and _masked(removed) == _masked(added):
        keys = {match[2] for text in changed if (match := _ENV_DEFAULT.search(text))}
        return "seed default" if keys == {"SEED"} else "environment defaults"
    if total and (total - len(removed)) / total < _SHARED_MIN:
        return "another program"
    if _same_code(dump, shipped):
        return "comments"
    if all(_MESSAGE.search(text) or text.lstrip().startswith("#") for text in changed):
        return "messages"
    return "lines"


def _masked(lines: Iterable[str]) -> Counter[str]:
    return Counter(_ENV_DEFAULT.sub(r"\1)", line).strip() for line in lines)


@lru_cache(maxsize=4)
def _same_code(first: str, second: str) -> bool:
    """Compare syntax trees without docstrings; what this Python does not parse is not the same.

    Kept for the last few pairs: the logs of three seeds print the same source.
    """
    trees = [parse(text.encode("utf-8", "surrogatepass")).tree for text in (second, first)]
    return None not in trees and _alike(trees)


def _alike(trees: list[ast.Module | None]) -> bool:
    """Walk both trees side by side; the first difference ends it."""
    todo: list[tuple[object, object]] = [(trees[0], trees[1])]
    while todo:
        left, right = todo.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, ast.AST) and isinstance(right, ast.AST):
            todo += [(_bare(left, name), _bare(right, name)) for name in left._fields]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            todo += zip(left, right, strict=True)
        elif left != right:
            return False
    return True


def _bare(node: ast.AST, name: str) -> object:
    """Return a field of a node; a body without its docstring."""
    value = getattr(node, name, None)
    if name == "body" and value and isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            return node.body[1:]
    return value
