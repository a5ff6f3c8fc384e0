"""Guards solved from the logs: a line that only code under a guard can print was printed, so the guard held.

The other way round a line that code under a guard always prints is absent from every log, so it did not hold. Only
guards over settings are solved, one setting at a time, and only settings that nothing else in the run fixes.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.templates import LogText, find_line, printed_templates
from auditor.model.source import Program

LAUNCHER = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
"""What torchrun sets per process: the interpreter is rank 0 of one."""
_CANDIDATES: tuple[Any, ...] = (1, 0, 2, 3, 5, 7)
"""Values tried for a setting, the plainest first: most guards are `if flag` or `if order > 0`."""


@dataclass(frozen=True, slots=True)
class Solved:
    """One setting that the logs determine."""

    setting: str
    variable: str
    value: str
    file: str
    """The log whose line determines it."""
    line: int

    @property
    def origin(self) -> str:
        """Say where the value comes from."""
        return f"guard solved from {self.file}:{self.line}"


def solve_guards(program: Program, names: dict[str, str], environ: dict[str, str], text: LogText) -> Iterator[Solved]:
    """Yield settings that must differ from their present value for the logs to be what they are."""
    if not text.complete:
        return
    trees = [module.tree for module in (program.main, *program.helpers) if module.tree is not None]
    defaults = code_defaults(trees, names, environ)
    calls = Counter(
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for tree in trees
        for node in nodes_of(tree, ast.Call)
        if isinstance(node.func, (ast.Name, ast.Attribute))
    )
    functions = {n.name: n for tree in trees for n in nodes_of(tree, ast.FunctionDef)}
    everywhere = Counter(t for tree in trees for t in _all_templates(tree))
    done: set[str] = set()
    for tree in trees:
        for node in nodes_of(tree, ast.If):
            mentioned = {n for n in _settings_in(node.test, names) - done if names[n] not in LAUNCHER}
            if not mentioned:
                continue
            for wanted, body in ((True, node.body), (False, node.orelse)):
                if not body or _holds(node.test, names, defaults) is not (not wanted):
                    continue
                line = _printed(body, functions, calls, everywhere, text)
                other = _printed(node.orelse if wanted else node.body, functions, calls, everywhere, text)
                if line is None or (other is not None and _overrules(other, line, text.headline)):
                    continue
                for solved in _solve(node.test, mentioned, names, defaults, wanted, line):
                    done.add(solved.setting)
                    defaults[solved.setting] = float(solved.value)
                    yield solved


def _overrules(other: tuple[str, int], line: tuple[str, int], headline: str | None) -> bool:
    """Say whether another run, which took the other branch, is the claimed one: the later, or that of its log."""
    if other[0] == line[0]:
        return other[1] > line[1]
    return line[0] != headline


def code_defaults(trees: list[ast.Module], names: dict[str, str], environ: dict[str, str]) -> dict[str, Any]:
    """Return setting -> present value: from the environment found so far, else the code default."""
    found: dict[str, Any] = {}
    for tree in trees:
        for node in nodes_of(tree, ast.Call):
            if len(node.args) >= 2 and isinstance(node.args[0], ast.Constant):
                default = node.args[1]
                if isinstance(node.args[0].value, str) and isinstance(default, ast.Constant):
                    found.setdefault(node.args[0].value, default.value)
    made: dict[str, Any] = {}
    for setting, variable in names.items():
        value = environ.get(variable, found.get(variable))
        if value is not None:
            made[setting] = _plain(value)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in ("true", "yes", "on"):
            return 1
        if lowered in ("false", "no", "off"):
            return 0
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _all_templates(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    for node in nodes(tree):
        if isinstance(node, (ast.expr, ast.operator, ast.cmpop, ast.arg, ast.keyword)):
            continue
        for body in (getattr(node, "body", None), getattr(node, "orelse", None), getattr(node, "finalbody", None)):
            if isinstance(body, list):
                yield from printed_templates(body)


def _settings_in(test: ast.expr, names: dict[str, str]) -> set[str]:
    return {name for node in nodes(test) for name in [_setting_name(node)] if name in names}


def _setting_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""


def _printed(
    body: list[ast.stmt],
    functions: dict[str, ast.FunctionDef],
    calls: Counter[str],
    everywhere: Counter[tuple[str, ...]],
    text: LogText,
    depth: int = 2,
) -> tuple[str, int] | None:
    """Return a log line that only this block can have printed: by a call in it, or in a function only it calls."""
    for block in _blocks(body):
        for template in printed_templates(block):
            if everywhere[template] == 1:
                line = find_line(template, text)
                if line is not None:
                    return line
    if depth:
        for statement in body:
            for node in nodes_of(statement, ast.Call):
                if isinstance(node.func, ast.Name):
                    called = functions.get(node.func.id)
                    if called is not None and calls[node.func.id] == 1:
                        line = _printed(called.body, functions, calls, everywhere, text, depth - 1)
                        if line is not None:
                            return line
    return None


def _blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    yield body
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            continue
        for name in ("body", "orelse", "finalbody"):
            nested = getattr(statement, name, None)
            if isinstance(nested, list) and nested and isinstance(nested[0], ast.stmt):
                yield from _blocks(nested)


def _solve(
    test: ast.expr,
    mentioned: set[str],
    names: dict[str, str],
    defaults: dict[str, Any],
    wanted: bool,
    line: tuple[str, int],
) -> Iterator[Solved]:
    if wanted and isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        # Every part of a conjunction held: each that does not hold yet is solved by itself.
        for part in test.values:
            if _holds(part, names, defaults) is False:
                inner = _settings_in(part, names) & mentioned
                yield from _solve(part, inner, names, defaults, True, line)
        return
    for setting in sorted(mentioned):
        if isinstance(defaults.get(setting), str):
            # A list or a path: no number stands for it.
            continue
        for value in _CANDIDATES:
            if _holds(test, names, {**defaults, setting: value}) is wanted:
                yield Solved(setting, names[setting], str(value), *line)
                return


def _holds(test: ast.expr, names: dict[str, str], values: dict[str, Any]) -> bool | None:
    """Decide a guard over settings, None where it depends on anything else; unknown parts of `and` count as true."""
    if isinstance(test, ast.BoolOp):
        parts = [_holds(part, names, values) for part in test.values]
        if isinstance(test.op, ast.And):
            return False if False in parts else (True if any(parts) else None)
        return True if True in parts else (None if None in parts else False)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _holds(test.operand, names, values)
        return None if inner is None else not inner
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = _value(test.left, names, values), _value(test.comparators[0], names, values)
        if left is None or right is None or isinstance(left, str) is not isinstance(right, str):
            return None
        return _compare(test.ops[0], left, right)
    value = _value(test, names, values)
    return None if value is None else bool(value)


def _value(node: ast.expr, names: dict[str, str], values: dict[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    name = _setting_name(node)
    return values.get(name) if name in names else None


def _compare(op: ast.cmpop, left: Any, right: Any) -> bool | None:
    if isinstance(op, ast.Eq):
        return bool(left == right)
    if isinstance(op, ast.NotEq):
        return bool(left != right)
    if isinstance(left, str):
        return None
    if isinstance(op, ast.Gt):
        return bool(left > right)
    if isinstance(op, ast.GtE):
        return bool(left >= right)
    if isinstance(op, ast.Lt):
        return bool(left < right)
    if isinstance(op, ast.LtE):
        return bool(left <= right)
    return None
