"""From a program and its evidence to what the rules read: configure, interpret, find the number, find the leaks."""

from __future__ import annotations

import sys
from dataclasses import replace

from auditor.intake.commands import RunCommand, run_commands
from auditor.interp.analysis import Analysis, HeadlinePath, Trace
from auditor.interp.config import configure, declared
from auditor.interp.headline import find_site, scoring_frame
from auditor.interp.leaks import find_leaks
from auditor.interp.learn import learn
from auditor.interp.machine import World
from auditor.interp.run import Run, run
from auditor.interp.scores import compose
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


def _followed(program: Program, world: World, limits: InterpLimits) -> Run:
    """Interpret a program in a world and keep what it printed and what happened, not its variables."""
    done = run(program, world, limits)
    done.machine.release()
    return done


def analyse(program: Program, submission: Submission, evidence: Evidence, limits: Limits) -> Analysis:
    """Interpret the program as it was run and say what its headline number is made of."""
    if sys.getrecursionlimit() < RECURSION:
        sys.setrecursionlimit(RECURSION)
    commands = run_commands(submission, limits.commands)
    configuration = declared(program, commands, evidence)
    done = _followed(program, configuration.world, limits.interp)
    if not done.machine.nodes and not done.stopped:
        done = _followed(program, replace(configuration.world, switches=True), limits.interp)
    site = find_site(done.machine, evidence)
    if site is None:
        for other in _other_modes(commands, configuration.world.argv):
            tried = configure(program, other, evidence)
            again = _followed(program, tried.world, limits.interp)
            site = find_site(again.machine, evidence)
            if site is not None:
                configuration, done = tried, again
                break
    machine = done.machine
    learned = learn(machine.nodes)
    incomplete = [done.stopped] if done.stopped else []
    trace = Trace(
        machine.nodes,
        learned,
        tuple(machine.notes),
        frozenset(machine.reached),
        machine.steps,
        tuple(machine.consumers.values()),
    )
    if site is None:
        if machine.raised:
            name, span = machine.raised[-1]
            incomplete.append(f"the program raises {name} at line {span.line} before any score is printed")
        return Analysis(None, configuration.settings, tuple(incomplete), trace)
    composition = compose(site.node)
    function, frame, definition = scoring_frame(machine, site, composition.scores)
    metric = evidence.headline.metric
    path = HeadlinePath(
        bpb=evidence.claim.bpb,
        function=function,
        span=definition,
        log=metric.file if metric is not None else None,
        log_line=metric.line if metric is not None else None,
        how=site.how,
        certain=site.certain,
        frame=frame,
        printed=site.printed.span,
    )
    leaks = find_leaks(machine.nodes, learned, composition, frame, frozenset(machine.guessed))
    return Analysis(path, configuration.settings, tuple(incomplete), trace, composition, leaks)
