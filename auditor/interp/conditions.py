"""Conditions over run settings: how they stand under the settings known so far, and which setting would turn them.

Purely syntactic: a setting is whatever a table of names maps to an environment variable. What depends on anything else
stays undecided.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from auditor.frontend.walk import nodes, nodes_of

LAUNCHER = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
"""What torchrun sets per process: the interpreter is rank 0 of one."""
_CONVERSIONS = frozenset(["int", "bool", "float"])
_CANDIDATES: tuple[Any, ...] = (1, 0, 2, 3, 5, 7)
"""Values tried for a setting, the plainest first: most guards are `if flag` or `if order > 0`."""


def setting_names(trees: list[ast.Module], known: dict[str, str]) -> dict[str, str]:
    """Return setting -> environment name: the known ones, their other names, and what conditions read themselves."""
    tests = [node.test for tree in trees for node in nodes_of(tree, ast.If)]
    tests += [node.test for tree in trees for node in nodes_of(tree, ast.IfExp)]
    read = {environment_name(node) for test in tests for node in nodes_of(test, ast.Call, ast.Subscript)} - {""}
    return {**{name: name for name in sorted(read)}, **_aliases(trees, known), **known}


def _aliases(trees: list[ast.Module], names: dict[str, str]) -> dict[str, str]:
    """Return variable -> environment name for variables that are a setting under another name."""
    return {
        node.targets[0].id: names[_setting_name(node.value)]
        for tree in trees
        for node in nodes_of(tree, ast.Assign)
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and _setting_name(node.value) in names
    }


def launched(names: dict[str, str]) -> set[str]:
    """Return the settings that the launcher sets per process."""
    return {name for name, variable in names.items() if variable in LAUNCHER}


def code_defaults(trees: list[ast.Module], names: dict[str, str], environ: dict[str, str]) -> dict[str, Any]:
    """Return setting -> present value: from the environment found so far, else the code default."""
    found: dict[str, Any] = {}
    for tree in trees:
        for node in nodes_of(tree, ast.Call):
            name, default = [*bound_arguments(node), None, None][:2]
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and isinstance(default, ast.Constant):
                found.setdefault(name.value, default.value)
    made: dict[str, Any] = {}
    for setting, variable in names.items():
        value = environ.get(variable, found.get(variable))
        if value is not None:
            made[setting] = _plain(value)
    return made


def environment_name(node: ast.AST) -> str:
    """Return the environment name that an expression reads: environ.get("X"), environ["X"], getenv("X"), _env("X")."""
    first = bound_arguments(node)[:1] if isinstance(node, ast.Call) else []
    if first and isinstance(first[0], ast.Constant):
        name = first[0].value
        if isinstance(name, str) and name.isupper() and name.replace("_", "").isalnum():
            return name
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        value = node.value
        if isinstance(value, ast.Attribute) and value.attr == "environ" and node.slice.value.isupper():
            return node.slice.value
    return ""


def bound_arguments(node: ast.Call) -> list[ast.expr]:
    """Return the positional arguments of a call with those that functools.partial had bound before it."""
    inner = node.func
    bound = isinstance(inner, ast.Call) and ast.unparse(inner.func).split(".")[-1] == "partial"
    return [*inner.args[1:], *node.args] if bound and isinstance(inner, ast.Call) else node.args


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


def settings_in(test: ast.expr, names: dict[str, str]) -> set[str]:
    """Return the settings that a condition mentions."""
    return {name for node in nodes(test) for name in [_setting_name(node)] if name in names}


def _setting_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call):
        converted = isinstance(node.func, ast.Name) and node.func.id in _CONVERSIONS and len(node.args) == 1
        return _setting_name(node.args[0]) if converted else environment_name(node)
    return node.id if isinstance(node, ast.Name) else ""


def solutions(
    test: ast.expr, mentioned: set[str], names: dict[str, str], values: dict[str, Any], wanted: bool
) -> Iterator[tuple[str, str]]:
    """Yield (setting, value) that make a condition stand as wanted: every part of a conjunction, else a first setting.

    A switch is the likelier one to have been turned than a size.
    """
    if wanted and isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        # Every part of a conjunction held: each that does not hold yet is solved by itself.
        for part in test.values:
            if holds(part, names, values) is False:
                yield from solutions(part, settings_in(part, names) & mentioned, names, values, True)
        return
    for setting in sorted(mentioned, key=lambda name: (not _switch(values.get(name)), name)):
        if isinstance(values.get(setting), str):
            # A list or a path: no number stands for it.
            continue
        for value in _CANDIDATES:
            if holds(test, names, {**values, setting: value}) is wanted:
                yield setting, str(value)
                return


def _switch(value: Any) -> bool:
    return value is None or value in (0, 1)


def holds(test: ast.expr, names: dict[str, str], values: dict[str, Any]) -> bool | None:
    """Decide a guard over settings, None where it depends on anything else; unknown parts of `and` count as true."""
    if isinstance(test, ast.BoolOp):
        parts = [holds(part, names, values) for part in test.values]
        if isinstance(test.op, ast.And):
            return False if False in parts else (True if any(parts) else None)
        return True if True in parts else (None if None in parts else False)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = holds(test.operand, names, values)
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
