"""Guards solved from the logs: a line that only code under a guard can print was printed, so the guard held.

The other way round a line that code under a guard always prints is absent from every log, so it did not hold. Only
guards over settings are solved, one setting at a time, and only settings that nothing else in the run fixes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.loglines import Place, blocks, entered, listing, passed_over, shown_texts
from auditor.interp.templates import LogText
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
    absent: bool = False
    """True where what a block prints in any case is missing, and `line` is the next one that is there."""

    @property
    def origin(self) -> str:
        """Say where the value comes from."""
        return f"guard solved from {self.file}:{self.line}"


def solve_guards(program: Program, names: dict[str, str], environ: dict[str, str], text: LogText) -> Iterator[Solved]:
    """Yield settings that must differ from their present value for the logs to be what they are."""
    if not text.complete:
        return
    trees = [module.tree for module in (program.main, *program.helpers) if module.tree is not None]
    names = {**_aliases(trees, names), **names}
    defaults = code_defaults(trees, names, environ)
    done: set[str] = set()
    for test, wanted, line, absent in _demands(trees, names, defaults, text):
        holds = _holds(test, names, defaults)
        mentioned = _settings_in(test, names) - done - _launched(names)
        unset = holds is None and mentioned.isdisjoint(defaults)
        if holds is wanted or (holds is None and not unset):
            continue
        for solved in _solve(test, mentioned, names, defaults, wanted, line):
            done.add(solved.setting)
            defaults[solved.setting] = float(solved.value)
            yield replace(solved, absent=absent)


def _demands(
    trees: list[ast.Module], names: dict[str, str], defaults: dict[str, Any], text: LogText
) -> Iterator[tuple[ast.expr, bool, Place, bool]]:
    """Yield (condition over settings, how it stood, log line, whether by absence) of all that the logs speak of.

    A line that only one branch can print was printed; a text that is printed only under the condition was shown; what
    the block prints in any case is missing in the claimed run's log, between lines from before and after it. `defaults`
    is read anew for every condition, since earlier answers change it.
    """
    known = listing(trees)
    own = text.of_headline()
    for tree in trees:
        for node in nodes_of(tree, ast.If):
            if not _settings_in(node.test, names) - _launched(names):
                continue
            for wanted, body in ((True, node.body), (False, node.orelse)):
                if not body or _holds(node.test, names, defaults) is wanted:
                    continue
                line = entered(body, known, text)
                other = entered(node.orelse if wanted else node.body, known, text) if line is not None else None
                if line is not None and (other is None or not _overrules(other, line, text.headline)):
                    yield node.test, wanted, line, False
        for test, line in shown_texts(tree, text):
            if _settings_in(test, names) - _launched(names):
                yield test, True, line, False
    for block in (block for tree in trees for block in blocks(tree)) if own is not None else ():
        for at, statement in enumerate(block):
            if isinstance(statement, ast.If) and _settings_in(statement.test, names) - _launched(names):
                past = passed_over(block, at, known, own) if own is not None else None
                if past is not None:
                    yield statement.test, False, past, True


def _aliases(trees: list[ast.Module], names: dict[str, str]) -> dict[str, str]:
    """Return variable -> environment name for variables that are a setting under another name."""
    return {
        node.targets[0].id: names[_setting_name(node.value)]
        for tree in trees
        for node in nodes_of(tree, ast.Assign)
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and _setting_name(node.value) in names
    }


def _launched(names: dict[str, str]) -> set[str]:
    return {name for name, variable in names.items() if variable in LAUNCHER}


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
            name, default = [*bound_arguments(node), None, None][:2]
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and isinstance(default, ast.Constant):
                found.setdefault(name.value, default.value)
    made: dict[str, Any] = {}
    for setting, variable in names.items():
        value = environ.get(variable, found.get(variable))
        if value is not None:
            made[setting] = _plain(value)
    return made


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


def _settings_in(test: ast.expr, names: dict[str, str]) -> set[str]:
    return {name for node in nodes(test) for name in [_setting_name(node)] if name in names}


def _setting_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""


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
