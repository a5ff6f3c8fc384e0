"""From a program and its evidence to what the rules read: configure, interpret, find the number, find the leaks."""

from __future__ import annotations

import sys
from dataclasses import replace

from auditor.intake.commands import RunCommand, run_commands
from auditor.interp.analysis import Analysis, Setting
from auditor.interp.beside import beside
from auditor.interp.config import Configuration, configure, declared
from auditor.interp.followed import Followed, follow, path_of, trace_of
from auditor.interp.headline import final_sites, find_site, logged, named_site, scoring_frame
from auditor.interp.leaks import Way, find_leaks
from auditor.interp.learn import learn
from auditor.interp.machine import Machine, World
from auditor.interp.scores import compose
from auditor.interp.switches import named_switches
from auditor.limits import InterpLimits, Limits
from auditor.model.evidence import Evidence
from auditor.model.source import Program
from auditor.model.submission import Submission

RECURSION = 8_000
"""Python frames that `InterpLimits.call_depth` nested submitted calls may need (about 30 per call and nesting)."""


MODES = 3
"""Further run commands that are tried where the likeliest one prints no score: training and evaluation as two calls."""


def _other_modes(commands: tuple[RunCommand, ...], argv: tuple[str, ...]) -> list[RunCommand]:
    """Return commands whose switches differ from those tried and from one another, in the order they are stated."""
    seen = {_switches(argv)}
    found: list[RunCommand] = []
    for command in commands:
        switches = _switches(command.argv)
        if switches and switches not in seen:
            seen.add(switches)
            found.append(command)
    return found[:MODES]


def _switches(argv: tuple[str, ...]) -> frozenset[str]:
    after = next((i for i, word in enumerate(argv) if word.endswith(".py")), len(argv))
    return frozenset(word for word in argv[after:] if word.startswith("--"))


RIVALS = 4
"""Further metrics that are looked at where nothing says which one is claimed; records print up to three."""


def analyse(program: Program, submission: Submission, evidence: Evidence, limits: Limits) -> Analysis:
    """Interpret the program as it was run and say what its headline number is made of."""
    if sys.getrecursionlimit() < RECURSION:
        sys.setrecursionlimit(RECURSION)
    commands = run_commands(submission, limits.commands)
    followed = _declared_run(program, commands, evidence, limits.interp)
    if followed.site is not None and not followed.site.certain:
        followed = _as_mentioned(program, followed, evidence, limits.interp) or followed
    machine, site = followed.run.machine, followed.site
    incomplete = [followed.run.stopped] if followed.run.stopped else []
    trace = trace_of(machine)
    settings = followed.configuration.settings
    if site is None:
        if machine.raised:
            name, span = machine.raised[-1]
            incomplete.append(f"the program raises {name} at line {span.line} before any score is printed")
        return Analysis(None, settings, tuple(incomplete), trace)
    known = Analysis(None, settings, tuple(incomplete), trace)
    unsettled = _of_other_code(followed.configuration, evidence)
    if unsettled and _matters(program, followed, evidence, limits.interp):
        known = replace(known, incomplete=(*incomplete, *unsettled))
    others = [] if site.certain else logged(final_sites(machine), evidence)
    rivals = list({rival.node.index: rival for rival in others if rival.node is not site.node}.values())
    return replace(
        path_of(known, machine, site, evidence),
        rivals=tuple(path_of(known, machine, rival, evidence) for rival in rivals[-RIVALS:]),
        beside=tuple(beside(program, followed, known, evidence, limits.interp)),
    )


def _of_other_code(configuration: Configuration, evidence: Evidence) -> list[str]:
    """Say which settings are off by a log alone that another version of the code wrote."""
    counted = {row.file: row.code_bytes for row in evidence.seeds}
    return [
        f"{solved.variable} is on in the code as shipped and none of its lines is in {solved.file}; another version of "
        f"the code wrote that log ({counted[solved.file]:,} bytes), so that it was off in the run is not established"
        for solved in configuration.absent
        if counted.get(solved.file) is not None and counted[solved.file] != evidence.code_bytes
    ]


def _matters(program: Program, followed: Followed, evidence: Evidence, limits: InterpLimits) -> bool:
    """Say whether the number would be made in another way with the settings on that a log of other code has off."""
    off = {solved.variable for solved in followed.configuration.absent}
    world = followed.configuration.world
    environ = {name: value for name, value in world.environ.items() if name not in off}
    other = follow(program, replace(world, environ=environ), limits)
    return _made_of(other.machine, evidence) != _made_of(followed.run.machine, evidence)


def _made_of(machine: Machine, evidence: Evidence) -> tuple[frozenset[Way], int, int, int]:
    """Return in which ways the headline had learned from what it scores, and how many mixtures and look-ups it has."""
    site = find_site(machine, evidence)
    if site is None:
        return frozenset(), 0, 0, 0
    composition = compose(site.node)
    _, frame, _ = scoring_frame(machine, site, composition.scores)
    leaks = find_leaks(machine.nodes, learn(machine.nodes), composition, frame, frozenset(machine.guessed))
    return (
        frozenset(leak.way for leak in leaks),
        len(composition.blends),
        len(composition.told),
        len(composition.natives),
    )


def _declared_run(
    program: Program, commands: tuple[RunCommand, ...], evidence: Evidence, limits: InterpLimits
) -> Followed:
    """Follow the program under the declared settings, and under other stated commands where no score is printed."""
    configuration = declared(program, commands, evidence)
    done = follow(program, configuration.world, limits)
    if not done.machine.nodes and not done.stopped:
        done = follow(program, replace(configuration.world, switches=True), limits)
    site = find_site(done.machine, evidence)
    if site is None:
        for other in _other_modes(commands, configuration.world.argv):
            tried = configure(program, other, evidence)
            again = follow(program, tried.world, limits)
            site = find_site(again.machine, evidence)
            if site is not None:
                return Followed(tried, again, site)
    return Followed(configuration, done, site)


def _as_mentioned(program: Program, first: Followed, evidence: Evidence, limits: InterpLimits) -> Followed | None:
    """Follow the program with the switches on that the README names beside the claimed number, if it prints that then.

    The stated command and the logs may be of training alone: then the switches are tried under the code's defaults.
    """
    for base in (first.configuration, Configuration(World({}, {}), {})):
        switches = named_switches(first.run.machine.reads, base.world.environ, evidence.mentions)
        if not switches:
            continue
        done = follow(program, replace(base.world, environ={**base.world.environ, **switches}), limits)
        site = named_site(final_sites(done.machine), evidence.mentions)
        if site is not None:
            named = {name: Setting(value, "named beside the claimed number") for name, value in switches.items()}
            return Followed(replace(base, settings={**base.settings, **named}), done, site)
    return None
