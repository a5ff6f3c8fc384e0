"""Metrics of a program that are not the claimed number: printed beside it, or only with other switches on.

They say nothing of the claim; a reader wants to know that the code for them is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from auditor.interp.analysis import Analysis, Beside
from auditor.interp.followed import Followed, follow, path_of, trace_of
from auditor.interp.headline import Site, metric_sites
from auditor.interp.machine import Machine
from auditor.interp.off import off_switches
from auditor.interp.printing import text_of
from auditor.limits import InterpLimits
from auditor.model.evidence import Evidence
from auditor.model.source import Program

_DIGITS = re.compile(r"\d+")
MOST = 8
"""Metrics of one run that are looked at; records print up to five."""


def beside(
    program: Program, followed: Followed, known: Analysis, evidence: Evidence, limits: InterpLimits
) -> Iterator[Beside]:
    """Yield the metrics that are not the claimed one: of the same run, then of one with the switches that were off on.

    All switches are turned at once: where that leads nowhere (one of them ends the run early), nothing is said, and
    neither is it after a long run.
    """
    for site in _sites(followed.run.machine):
        if followed.site is None or site.node is not followed.site.node:
            yield Beside(path_of(known, followed.run.machine, site, evidence, networks=False))
    if followed.run.machine.steps > limits.second_steps:
        return
    world = followed.configuration.world
    switches = off_switches(program, frozenset(followed.run.machine.reached), world)
    if not switches:
        return
    environ = {**world.environ, **{switch.variable: switch.value for switch in switches}}
    turned = {switch.setting for switch in switches}
    overrides = {name: value for name, value in world.overrides.items() if name not in turned}
    machine = follow(program, replace(world, environ=environ, overrides=overrides), limits).machine
    settled = Analysis(None, known.declared, trace=trace_of(machine))
    for site in _sites(machine):
        yield Beside(path_of(settled, machine, site, evidence, networks=False), switches)


def _sites(machine: Machine) -> list[Site]:
    """Return the last value of each line that a metric is printed on, the last lines where there are many."""
    by_line = {(site.printed.span, _DIGITS.sub("", text_of(site.printed))): site for site in metric_sites(machine)}
    by_value = {site.node.index: site for site in by_line.values()}
    return sorted(by_value.values(), key=lambda site: site.node.index)[-MOST:]
