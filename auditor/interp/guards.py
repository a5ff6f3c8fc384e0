"""Guards solved from the logs: a line that only code under a guard can print was printed, so the guard held.

The other way round a line that code under a guard always prints is absent from every log, so it did not hold. Only
guards over settings are solved, one setting at a time, and only settings that nothing else in the run fixes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.frontend.walk import nodes_of
from auditor.interp.conditions import code_defaults, holds, launched, setting_names, settings_in, solutions
from auditor.interp.loglines import Place, blocks, entered, listing, passed_over, shown_texts
from auditor.interp.templates import LogText
from auditor.model.source import Program


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
    names = setting_names(trees, names)
    defaults = code_defaults(trees, names, environ)
    done: set[str] = set()
    for test, wanted, line, absent in _demands(trees, names, defaults, text):
        stands = holds(test, names, defaults)
        mentioned = settings_in(test, names) - done - launched(names)
        unset = stands is None and mentioned.isdisjoint(defaults)
        if stands is wanted or (stands is None and not unset):
            continue
        for setting, value in solutions(test, mentioned, names, defaults, wanted):
            done.add(setting)
            defaults[setting] = float(value)
            yield Solved(setting, names[setting], value, *line, absent)


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
            if not settings_in(node.test, names) - launched(names):
                continue
            for wanted, body in ((True, node.body), (False, node.orelse)):
                if not body or holds(node.test, names, defaults) is wanted:
                    continue
                line = entered(body, known, text)
                other = entered(node.orelse if wanted else node.body, known, text) if line is not None else None
                if line is not None and (other is None or not _overrules(other, line, text.headline)):
                    yield node.test, wanted, line, False
        for test, line in shown_texts(tree, text):
            if settings_in(test, names) - launched(names):
                yield test, True, line, False
    for block in (block for tree in trees for block in blocks(tree)) if own is not None else ():
        for at, statement in enumerate(block):
            if isinstance(statement, ast.If) and settings_in(statement.test, names) - launched(names):
                past = passed_over(block, at, known, own) if own is not None else None
                if past is not None:
                    yield statement.test, False, past, True


def _overrules(other: tuple[str, int], line: tuple[str, int], headline: str | None) -> bool:
    """Say whether another run, which took the other branch, is the claimed one: the later, or that of its log."""
    if other[0] == line[0]:
        return other[1] > line[1]
    return line[0] != headline
