"""One interpretation of a program under chosen settings, and what a number that it prints is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from auditor.interp.analysis import Analysis, HeadlinePath, Trace
from auditor.interp.causal import look_ahead
from auditor.interp.config import Configuration
from auditor.interp.headline import Site, scoring_frame
from auditor.interp.leaks import find_leaks
from auditor.interp.learn import learn
from auditor.interp.machine import Machine, World
from auditor.interp.run import Run, run
from auditor.interp.scores import compose
from auditor.limits import InterpLimits
from auditor.model.evidence import Evidence
from auditor.model.source import Program


@dataclass(frozen=True, slots=True)
class Followed:
    """One run of the program, under which settings, and where it prints the number."""

    configuration: Configuration
    run: Run
    site: Site | None


def follow(program: Program, world: World, limits: InterpLimits) -> Run:
    """Interpret a program in a world and keep what it printed and what happened, not its variables."""
    done = run(program, world, limits)
    done.machine.release()
    return done


def trace_of(machine: Machine) -> Trace:
    """Return the events of a run in order, with what each had learned from."""
    return Trace(
        machine.nodes,
        learn(machine.nodes),
        tuple(machine.notes),
        frozenset(machine.reached),
        machine.steps,
        tuple(machine.consumers.values()),
        {loop: count for loop, count in machine.walked.items() if loop not in machine.listed},
    )


def path_of(known: Analysis, machine: Machine, site: Site, evidence: Evidence, *, networks: bool = True) -> Analysis:
    """Say what the number that is printed at a site is made of; `networks` to look inside those behind it as well."""
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
        untraced=site.untraced,
        frame=frame,
        printed=site.printed.span,
    )
    leaks = find_leaks(machine.nodes, known.trace.learned, composition, frame, frozenset(machine.guessed))
    ahead = look_ahead(machine, composition.scores) if networks else ()
    return replace(known, headline=path, composition=composition, leaks=leaks, ahead=ahead)
