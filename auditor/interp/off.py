"""Switches that were off in the claimed run, and what they guard: code of the script that the run never entered.

A switch that is off counts where it guards code that learns or scores, one that is on only where its other side learns.
Of a guard that was not reached nothing is said.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.analysis import Switch
from auditor.interp.conditions import code_defaults, holds, launched, setting_names, settings_in, solutions
from auditor.interp.config import environment_names
from auditor.interp.machine import World
from auditor.model.source import Module, Program, Span

_Line = tuple[str, int, int]
"""(file, layer, line)."""
_LEARNING = frozenset(["backward", "grad"])
_SCORING = frozenset(["cross_entropy", "log_softmax", "nll_loss", "logsumexp", "log2"])
"""Names of the library without which nothing is learned by gradient, and next to nothing is scored."""
DEPTH = 6
"""Calls followed from a guarded block to what it runs; wrappers in real scripts nest three deep."""


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a guarded block leads to: lines that the run did not reach, and whether they learn or score."""

    lines: frozenset[_Line]
    learns: bool
    scores: bool


class _Listing:
    """The functions of a program by name, and which lines a block of it leads to."""

    def __init__(self, program: Program) -> None:
        self.modules = [m for m in (program.main, *program.helpers) if m.tree is not None]

    @cached_property
    def functions(self) -> dict[str, list[tuple[str, int, ast.AST]]]:
        found: dict[str, list[tuple[str, int, ast.AST]]] = {}
        for module in self.modules:
            assert module.tree is not None
            for node in nodes_of(module.tree, ast.FunctionDef):
                found.setdefault(node.name, []).append((module.file, module.layer, node))
        return found

    def passed(self, file: str, layer: int, body: list[ast.AST], reached: frozenset[_Line]) -> _Passed:
        """Return what a block leads to that a run which reached those lines did not enter."""
        lines: set[_Line] = set()
        names: set[str] = set()
        waiting: list[tuple[str, int, ast.AST, int]] = [(file, layer, statement, 0) for statement in body]
        while waiting:
            where, deep, tree, depth = waiting.pop()
            for node in nodes(tree):
                line = getattr(node, "lineno", None)
                if line is not None:
                    lines.add((where, deep, line))
                name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
                if name and name not in names:
                    names.add(name)
                    new = [at for at in self.functions.get(name, ()) if depth < DEPTH and not _entered(at, reached)]
                    waiting += [(*place, depth + 1) for place in new]
        return _Passed(frozenset(lines - reached), not names.isdisjoint(_LEARNING), not names.isdisjoint(_SCORING))


def _entered(place: tuple[str, int, ast.AST], reached: frozenset[_Line]) -> bool:
    """Say whether a run entered a function; a class counts as entered, its methods are looked up by themselves."""
    file, layer, definition = place
    body = definition.body if isinstance(definition, ast.FunctionDef) else []
    return not body or any((file, layer, statement.lineno) in reached for statement in body[:2])


def off_switches(program: Program, reached: frozenset[_Line], world: World) -> tuple[Switch, ...]:
    """Return the switches that would lead a run in this world, which reached these lines, into other code."""
    listing = _Listing(program)
    trees = [module.tree for module in listing.modules if module.tree is not None]
    names = setting_names(trees, environment_names(program))
    values = {**code_defaults(trees, names, world.environ), **world.overrides}
    found: dict[str, Switch] = {}
    for module in listing.modules:
        place = (module.file, module.layer)
        for test, wanted, body in _passed(module, reached):
            mentioned = settings_in(test, names) - launched(names)
            if not mentioned or holds(test, names, values) is wanted:
                continue
            passed = listing.passed(*place, body, reached)
            for setting, value in solutions(test, mentioned, names, values, wanted):
                if not (passed.learns or (passed.scores and not values.get(setting))):
                    continue
                same = found.get(names[setting])
                lines = passed.lines | (same.covers if same is not None else frozenset())
                found[names[setting]] = Switch(setting, names[setting], value, lines)
    return tuple(found.values())


def _passed(module: Module, reached: frozenset[_Line]) -> Iterator[tuple[ast.expr, bool, list[ast.AST]]]:
    """Yield (condition, how it would have to stand, code) of the code that a run which reached its guard passed by."""
    assert module.tree is not None
    place = (module.file, module.layer)
    for node in nodes_of(module.tree, ast.If):
        if (*place, node.lineno) in reached:
            for wanted, body in ((True, node.body), (False, node.orelse)):
                if body and not _leaves(body) and not any((*place, part.lineno) in reached for part in body):
                    yield node.test, wanted, list(body)
    for choice in nodes_of(module.tree, ast.IfExp):
        yield choice.test, True, [choice.body]
        yield choice.test, False, [choice.orelse]


def _leaves(body: list[ast.stmt]) -> bool:
    """Say whether a block ends the function that it stands in: a mode of its own, not an addition to the run."""
    return isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def enabled_by(switches: tuple[Switch, ...], spans: Iterable[Span]) -> str:
    """Return the switches as a command states them: those that lead to any of these places, all where none does."""
    places = {(span.file, span.layer, span.line) for span in spans}
    leading = [switch for switch in switches if places & switch.covers] or switches
    return " ".join(switch.stated for switch in leading)
