"""Which print call carries the claimed number, which value it prints, and which function computed that value.

A log line decides where one call can have made it. Where no line does, the words that the README puts beside the number
may name one of the printed metrics; else the last one is taken, and said to be a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from auditor.intake.metric_lines import is_diagnostic
from auditor.interp.graph import Node
from auditor.interp.machine import Machine, Printed
from auditor.interp.printing import alike, constant, made, named, reports_progress, scored, text_of
from auditor.interp.scores import Score
from auditor.model.evidence import Evidence
from auditor.model.logs import Metric
from auditor.model.source import Span


@dataclass(frozen=True, slots=True)
class Site:
    """A print that carries the number: the call, the value in it, and how well it was identified."""

    printed: Printed
    node: Node
    how: str
    certain: bool
    """True where a logged line or the README's words single the print out; False where the last metric was taken."""
    untraced: bool = False
    """True where the last metric was taken though a log line carries the claim: no print followed makes that line."""


def find_site(machine: Machine, evidence: Evidence) -> Site | None:
    """Return where the claimed number is printed, None where no printed value depends on a score."""
    headline = evidence.headline
    carriers = [metric for metric in (headline.metric or headline.nearest, *headline.matches) if metric is not None]
    for maker in (_maker, _near_maker):
        for metric in carriers:
            site = maker(machine.printed, metric)
            if site is not None:
                return replace(site, how=f"{headline.how}; {metric.file}:{metric.line} is printed {site.how}")
    finals = final_sites(machine)
    site = named_site(finals, evidence.mentions) or next(reversed(logged(finals, evidence)), None)
    carrier = headline.metric
    if site is None or carrier is None:
        return site and replace(site, how=f"no log line carries the claim; {site.how}")
    how = f"{headline.how}; no print that was followed makes {carrier.file}:{carrier.line}; {site.how}"
    return replace(site, how=how, untraced=not site.certain)


def _maker(printed: Iterable[Printed], metric: Metric) -> Site | None:
    """Return the print that made a logged line, the one with most text of its own where several can have."""
    found = [
        Site(call, value.node, "here", True)
        for call in printed
        if (value := made(call, metric.raw, metric.bpb)) is not None and value.node is not None
    ]
    return max(found, key=lambda site: (constant(site.printed), site.printed.index), default=None)


def _near_maker(printed: Iterable[Printed], metric: Metric) -> Site | None:
    """Return the only print that nearly makes a logged line: the log is of another version of the script."""
    near = alike(printed, metric.raw)
    if near is None or near[1].node is None:
        return None
    return Site(near[0], near[1].node, "here but for a word: the log is of another version of the script", True)


def final_sites(machine: Machine) -> list[Site]:
    """Return every print of a bits-per-byte value as a guess, in order; progress and diagnostics only alone."""
    found = list(_metrics(machine.printed, "the last metric printed was taken"))
    results = [site for site, progress in found if not progress] or [site for site, _ in found[:1]]
    return [site for site in results if not is_diagnostic(text_of(site.printed))] or results


def metric_sites(machine: Machine) -> list[Site]:
    """Return every print of a bits-per-byte value, progress and diagnostics included, in order."""
    return [site for site, _ in _metrics(machine.printed, "it is printed as a metric")]


def logged(sites: list[Site], evidence: Evidence) -> list[Site]:
    """Return the sites whose line stands in a log, all where none does: what no log shows was not printed."""
    lines = [metric.raw for log in evidence.logs for metric in log.metrics]
    return [site for site in sites if any(made(site.printed, line, None) is not None for line in lines)] or sites


def _metrics(printed: Iterable[Printed], how: str) -> Iterator[tuple[Site, bool]]:
    """Yield (site, whether it reports progress) for every value right after a text that ends in "bpb"."""
    for call in printed:
        for value, before in scored(call):
            if value.node is not None:
                yield Site(call, value.node, how, False), reports_progress(before)


def named_site(sites: list[Site], mentions: tuple[str, ...]) -> Site | None:
    """Return the one printed metric whose own words stand beside the claimed number in the README, if there is one."""
    best = named([site.printed for site in sites], mentions)
    if best is None:
        return None
    how = f"the README calls it {best[1]!r}, which names this line"
    return replace(next(site for site in reversed(sites) if site.printed is best[0]), how=how, certain=True)


def scoring_frame(machine: Machine, site: Site, scores: tuple[Score, ...]) -> tuple[str, int, Span | None]:
    """Return (name, call id, definition) of the deepest call in which all losses behind the number came to be.

    That is the evaluation function: wrappers above it only pass its result on, helpers below it see a part.
    """
    common = scores[0].loss.frames if scores else site.printed.frames
    for score in scores[1:]:
        shared = 0
        for a, b in zip(common, score.loss.frames, strict=False):
            if a != b:
                break
            shared += 1
        common = common[:shared]
    for ident in reversed(common):
        if ident in machine.calls:
            name, span = machine.calls[ident]
            return name, ident, span
    return site.printed.function, 0, None
