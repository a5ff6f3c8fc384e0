"""Masks that the logs say were empty: a printed count `{mask.sum()}` that is 0 wherever its line was printed.

A channel can be shut by a threshold that no score reaches; what shuts it is arithmetic that is not followed, but the
run counted and printed that nothing passed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.frontend.walk import nodes
from auditor.interp.templates import MIN_FRAGMENT, LogText
from auditor.model.source import Program


@dataclass(frozen=True, slots=True)
class EmptyMask:
    """A local variable of a function that selected nothing in the run."""

    function: str
    variable: str
    origin: str
    """The log line that says so."""


def empty_masks(program: Program, text: LogText) -> Iterator[EmptyMask]:
    """Yield the masks whose printed count is zero in every log of the run."""
    for module in (program.main, *program.helpers):
        for function in nodes(module.tree) if module.tree is not None else ():
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for node in nodes(function):
                if isinstance(node, ast.JoinedStr):
                    yield from _zeros(node, function.name, text)


def _zeros(template: ast.JoinedStr, function: str, text: LogText) -> Iterator[EmptyMask]:
    counted = [name for part in template.values if (name := _counted(part)) is not None]
    if not counted:
        return
    constants = [part.value for part in template.values if isinstance(part, ast.Constant)]
    longest = max((str(value).strip() for value in constants), key=len, default="")
    if len(longest) < MIN_FRAGMENT or longest not in text.blob:
        return
    pattern = re.compile(
        "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"([^\s,]{1,40})"
            for part in template.values
        )
    )
    found = [
        (file, number, match)
        for file, number, line in text.lines
        if longest in line and (match := pattern.search(line)) is not None
    ]
    # The log of the claimed number speaks for it; others may be of runs with the channel open.
    said = [entry for entry in found if entry[0] == text.headline] or found
    places = [part for part in template.values if not isinstance(part, ast.Constant)]
    for at, part in enumerate(places, start=1):
        name = _counted(part)
        if name is not None and said and all(match.group(at) == "0" for _, _, match in said):
            yield EmptyMask(function, name, f"{said[0][0]}:{said[0][1]}")


def _counted(part: ast.expr) -> str | None:
    """Return the variable of `{int(mask.sum())}` and its plainer forms."""
    if not isinstance(part, ast.FormattedValue):
        return None
    value = part.value
    while isinstance(value, ast.Call):
        if isinstance(value.func, ast.Name) and value.func.id == "int" and len(value.args) == 1:
            value = value.args[0]
        elif isinstance(value.func, ast.Attribute) and value.func.attr == "item":
            value = value.func.value
        elif isinstance(value.func, ast.Attribute) and value.func.attr == "sum" and not value.args:
            return value.func.value.id if isinstance(value.func.value, ast.Name) else None
        else:
            return None
    return None
