"""The run environment: code defaults < run commands < values printed in the logs < guards solved from the logs.

Code defaults are not the run: flags are off in code and on in the command, or the other way round. Every setting
keeps its origin. Nothing is executed; what cannot be read stays at the code default.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from auditor.frontend.walk import nodes, nodes_of
from auditor.intake.commands import RunCommand
from auditor.interp.analysis import Setting
from auditor.interp.conditions import LAUNCHER, code_defaults, environment_name
from auditor.interp.guards import Solved, solve_guards
from auditor.interp.machine import World
from auditor.interp.tallies import empty_masks
from auditor.interp.templates import log_text
from auditor.model.evidence import Evidence
from auditor.model.logs import LogFile
from auditor.model.source import Program


@dataclass(frozen=True, slots=True)
class Configuration:
    """The declared world and where each of its settings comes from."""

    world: World
    settings: dict[str, Setting]
    absent: tuple[Solved, ...] = ()
    """Settings that are off because what they print is missing in the log."""


def environment_names(program: Program) -> dict[str, str]:
    """Return setting name -> environment name, for assignments whose value reads the environment."""
    found: dict[str, str] = {}
    for module in (program.main, *program.helpers):
        if module.tree is None:
            continue
        lines = _lines_that_read(module.tree)
        for node in nodes_of(module.tree, ast.Assign, ast.AnnAssign, ast.keyword, ast.Dict) if lines else ():
            for target, value in _assignments(node):
                at = bisect_left(lines, value.lineno)
                if at == len(lines) or lines[at] > (value.end_lineno or value.lineno):
                    continue
                names = [name for name in map(environment_name, nodes(value)) if name]
                if len(names) == 1 and target:
                    found.setdefault(target, names[0])
    return found


def _lines_that_read(tree: ast.Module) -> list[int]:
    """Return the lines on which the environment is read, in order; the lines of an f-string are not exact."""
    lines = {getattr(n, "lineno", 1) for n in nodes_of(tree, ast.Call, ast.Subscript) if environment_name(n)}
    for literal in nodes_of(tree, ast.JoinedStr) if lines else ():
        if any(map(environment_name, nodes_of(literal, ast.Call, ast.Subscript))):
            return list(range(1, max(getattr(n, "lineno", 1) for n in nodes(tree)) + 1))
    return sorted(lines)


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield (setting, value) pairs of assignments, dictionary entries and keyword arguments."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        yield _target_name(node.targets[0]), node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield _target_name(node.target), node.value
    elif isinstance(node, ast.keyword) and node.arg is not None:
        yield node.arg, node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value


def _target_name(target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return target.attr if isinstance(target, ast.Attribute) else ""


def declared(program: Program, commands: tuple[RunCommand, ...], evidence: Evidence) -> Configuration:
    """Reconstruct the environment in which the claimed number was produced."""
    return configure(program, choose_command(commands, program, evidence), evidence)


def configure(program: Program, command: RunCommand | None, evidence: Evidence) -> Configuration:
    """Reconstruct the environment of one run command, with what the logs say of it."""
    names = environment_names(program)
    stated = {} if command is None else {name: value for name, value in command.env.items() if name not in LAUNCHER}
    if command is not None and _logs_another_run(program, names, command, evidence):
        evidence = replace(evidence, logs=())
    environ = dict(stated)
    settings = {name: Setting(value, f"{command.file}:{command.line}") for name, value in stated.items() if command}
    log = headline_log(evidence)
    overrides: dict[str, Any] = {}
    for name, variable, value, (shown, line) in _printed(program, names, log):
        overrides[name] = value
        if log is not None and variable is not None:
            environ[variable] = _as_environment(value, shown)
            settings[variable] = Setting(shown, f"{log.file}:{line}")
    printed = frozenset(overrides)
    text = log_text(evidence.logs, log.file if log is not None else None)
    absent: list[Solved] = []
    for solved in solve_guards(program, names, {**environ}, text):
        if solved.setting in printed:
            # The log of the claimed number prints the setting itself: other lines are of other runs, or mean less.
            continue
        environ[solved.variable] = solved.value
        overrides.pop(solved.setting, None)
        settings[solved.variable] = Setting(solved.value, solved.origin)
        absent += [solved] if solved.absent else []
    argv = command.argv if command is not None else ()
    empty = tuple(empty_masks(program, text))
    settings.update({f"{mask.function}: {mask.variable}": Setting("empty", mask.origin) for mask in empty})
    world = World(environ, overrides, argv, empty=frozenset((mask.function, mask.variable) for mask in empty))
    return Configuration(world, settings, tuple(absent))


def _printed(
    program: Program, names: dict[str, str], log: LogFile | None
) -> Iterator[tuple[str, str | None, Any, tuple[str, int]]]:
    """Yield (setting, environment name where it has one, value, (as printed, line)) of what a log prints of a run."""
    known = set(names.values())
    trees = [module.tree for module in (program.main, *program.helpers) if module.tree is not None]
    defaults = code_defaults(trees, names, {})
    for name, shown in log.hyperparameters.items() if log is not None else ():
        value = literal(shown[0])
        if isinstance(value, str) and "{" in value and "}" in value:
            # A template: the log prints the source, not a setting.
            continue
        if isinstance(value, str) and isinstance(defaults.get(name), float):
            # A progress line such as "legal_ttt:start" is no statement about a numeric setting.
            continue
        if name in names or name in known or name.upper() in known:
            variable = names.get(name, name.upper() if name.upper() in known else name)
            if variable not in LAUNCHER:
                yield name, variable, value, shown
        elif "_" in name:
            yield name, None, value, shown


def _logs_another_run(program: Program, names: dict[str, str], command: RunCommand, evidence: Evidence) -> bool:
    """Say whether the logs are of another run than the stated one: without the claim, and under other settings."""
    log = headline_log(evidence)
    if log is None or evidence.headline.level != "not found":
        return False
    solved = solve_guards(program, names, dict(command.env), log_text(evidence.logs, log.file))
    return _contradictions(command, log) > 0 or any(found.variable in command.env for found in solved)


def headline_log(evidence: Evidence) -> LogFile | None:
    """Return the log that carries the claimed number, or the first main log."""
    metric = evidence.headline.metric
    if metric is not None:
        for log in evidence.logs:
            if log.file == metric.file:
                return log
    return next((log for log in evidence.logs if log.main), None)


def choose_command(commands: tuple[RunCommand, ...], program: Program, evidence: Evidence) -> RunCommand | None:
    """Pick the run command of the claimed run: the first that launches the script with settings, else the first.

    Where several launch it (ablations, smaller hardware), the one whose settings the log contradicts least wins.
    """
    script = program.main.file.rsplit("/", 1)[-1]
    fitting = [c for c in commands if c.script is None or c.script.rsplit("/", 1)[-1] == script]
    if not fitting:
        # The script was renamed after the run: what the stated commands launch is no other module of the program.
        others = {module.file.rsplit("/", 1)[-1] for module in program.helpers}
        fitting = [c for c in commands if c.script is not None and c.script.rsplit("/", 1)[-1] not in others]
    if not fitting:
        return None
    # A block of settings alone describes a run; where one is launched, the launch says which.
    fitting = [c for c in fitting if c.argv] or fitting
    log = headline_log(evidence)
    if log is None or len(fitting) == 1:
        return max(fitting, key=lambda c: (bool(c.argv), bool(c.env)))
    return min(fitting, key=lambda c: (_contradictions(c, log), not c.argv, not c.env))


def _contradictions(command: RunCommand, log: LogFile) -> int:
    """Count the settings of a command that a log prints with another value."""
    shown = {name.upper(): value for name, (value, _) in log.hyperparameters.items()}
    return sum(
        name in shown and literal(shown[name]) != literal(value) and _number(shown[name]) != _number(value)
        for name, value in command.env.items()
    )


def _number(text: str) -> float | str:
    try:
        return float({"true": "1", "false": "0"}.get(text.lower(), text))
    except ValueError:
        return text


def literal(text: str) -> Any:
    """Read a printed setting: a Python literal where it is one, else the text."""
    stripped = text.strip().rstrip(",")
    try:
        value = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {"true": True, "false": False, "none": None}.get(stripped.lower(), stripped)
    return value if isinstance(value, (bool, int, float, str, type(None))) else stripped


def _as_environment(value: Any, shown: str) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value) if isinstance(value, (int, float)) else shown
