"""Find the place in the script whose logged elements reproduce the printed metric: those numbers and no others.

Uses arithmetic only. Names of functions and variables are reported, never consulted.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from auditor.prover.runlog import PrintedLine, RunLog, Trace

LN2 = math.log(2.0)
EXACT = 2e-6
"""Relative agreement asked of a number intercepted before rounding: float32 sums of 2,000 terms agree to 1e-6."""
BYTEWISE = "one score for each byte"
LOSS = re.compile(r"(loss|nll|ce)[\s:=]*$", re.IGNORECASE)
BPB = re.compile(r"(bpb|bits[ _]?per[ _]?byte)[\s:=]*$", re.IGNORECASE)
PROGRESS = re.compile(
    r"^\W*(step|iter|epoch)?[ :=]*\d+\s*/\s*\d+|^\W*(step|iter)[ :=]*\d+|progress|running", re.IGNORECASE
)
DIFFERENCE = re.compile(r"(?<![a-z])(delta|gain|gap|improvement|difference|saved)(?![a-z])", re.IGNORECASE)
DIGITS = re.compile(r"-?\d+\.\d{5,}")


FORWARD = 16
"""Moments between two logged entries from which on a forward pass lies between them: windows of one batch were 7 to 9
apart in the scripts looked at, batches 24 to 436. A loop that adds up what was computed before takes one to four."""
PASSES = 2
"""Forward passes between the entries of a site from which on its entries are in the order of their batches in time."""
COMPLETE = 0.93
"""Share of the targets that are scored from which on every tested token is taken to be: two windows of 64 may lack."""


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A printed result."""

    line: PrintedLine
    loss: float | None
    bpb: float | None


@dataclass(frozen=True, slots=True)
class Site:
    """The elements that make up the printed metric."""

    metric: MetricLine
    key: int
    function: str
    target: str
    source_line: int
    first: int
    """Index of the first entry of the key that belongs to the metric, dropped entries included."""
    entries: int
    values: np.ndarray
    """float64 [elements], in the order in which they were logged."""
    owners: np.ndarray
    """int64 [elements]: entry of each element, counted from `first`."""
    times: np.ndarray
    """int64 [entries]."""
    start: int
    """Moment at which the call that scored began."""
    unit: float
    """Nats per logged unit: 1, or ln 2 where the script logs bits."""
    by: str
    """"val_loss", "val_bpb" or BYTEWISE: which printed number the elements reproduce, and as what."""

    @property
    def scored(self) -> int:
        """Elements that are not exactly zero: masks leave zeros."""
        return int(np.count_nonzero(self.values))

    @property
    def timed(self) -> bool:
        """True where scores were computed as they were logged: else the order of the elements says nothing of time."""
        return int(np.count_nonzero(np.diff(self.times) >= FORWARD)) >= PASSES

    def complete(self, targets: int) -> bool:
        """Say whether all of `targets` tokens are scored, but for a few."""
        return self.scored >= COMPLETE * targets


def metric_lines(log: RunLog) -> list[MetricLine]:
    """Return the lines that print a bits-per-byte figure, progress lines left out, in order."""
    return [metric for metric in figures(log) if not PROGRESS.search(metric.line.text)]


def last_figure(log: RunLog) -> list[MetricLine]:
    """Return the last line that prints a bits-per-byte figure, whatever it reports, or nothing."""
    return figures(log)[-1:]


def figures(log: RunLog) -> list[MetricLine]:
    """Return all lines that print a bits-per-byte figure, in order."""
    out = []
    for line in log.lines:
        loss = next((number for prefix, number in line.numbers if LOSS.search(prefix)), None)
        stated = ((prefix, number) for prefix, number in line.numbers if BPB.search(prefix))
        bpb = next((number for prefix, number in stated if not DIFFERENCE.search(prefix)), None)
        precise = line.exact or DIGITS.search(line.text)
        if bpb is not None and math.isfinite(bpb) and precise:
            out.append(MetricLine(line, loss, bpb))
    return out


def candidates(trace: Trace, before: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first entry, end entry, moment of the enclosing call) of runs of entries that may be one evaluation."""
    stop = int(np.searchsorted(trace.times, before))
    seen: set[tuple[int, int]] = set()
    for level in range(trace.chains.shape[1]):
        calls = trace.chains[:stop, level]
        if not calls.size:
            return
        cuts = np.flatnonzero(np.diff(calls)) + 1
        bounds = [0, *cuts.tolist(), stop]
        for a, b in list(itertools.pairwise(bounds))[-8:]:
            if int(calls[a]) and (a, b) not in seen:
                seen.add((a, b))
                yield a, b, int(calls[a])


def tails(trace: Trace, before: int, wanted: int) -> Iterator[tuple[int, int, int]]:
    """Yield the run of last entries before the line that holds exactly `wanted` non-zero elements, if there is one."""
    stop = int(np.searchsorted(trace.times, before))
    offsets = trace.offsets
    filled = np.concatenate([[0], np.cumsum(trace.values != 0)])[offsets]
    start = np.flatnonzero(filled[: stop + 1] == filled[stop] - wanted)
    if start.size and stop:
        a = int(start[-1])
        yield a, stop, int(trace.times[a]) - 1


def find_site(log: RunLog, metric: MetricLine, targets: int, real_bytes: int, only: int | None = None) -> Site | None:
    """Return the likeliest site of `metric` in `log`, None where no logged run reproduces it."""
    return next(iter(find_sites(log, metric, targets, real_bytes, only)), None)


def find_sites(log: RunLog, metric: MetricLine, targets: int, real_bytes: int, only: int | None = None) -> list[Site]:
    """Return what reproduces `metric` in `log`, likeliest first, once per place in the script.

    `targets` and `real_bytes` are those of the miniature's whole validation text. Untrained networks lose nearly the
    same everywhere, so that another evaluation's mean may agree by chance.
    """
    found: list[tuple[tuple[float, ...], Site]] = []
    totals = call_totals(log, metric.line.at)
    for trace in log.traces.values():
        if only is not None and trace.key != only:
            continue
        offsets = trace.offsets
        for a, b, call in [*candidates(trace, metric.line.at), *tails(trace, metric.line.at, targets)]:
            values = trace.values[offsets[a] : offsets[b]]
            count = int(np.count_nonzero(values))
            if not 0.4 * targets <= count <= 6 * targets:
                continue
            match = reproduces(metric, values, count, real_bytes, targets, totals.get(call, ()))
            if match is None:
                continue
            site = make_site(trace, metric, a, b, call, match)
            inline = float(int(trace.times[a]) - 1 == call)
            rank = (
                float(match[1] != "val_loss"),
                abs(count - targets),
                float(not site.timed),
                inline,
                -float(b - a),
                -float(call),
            )
            found.append((rank, site))
    best: dict[int, Site] = {}
    for _, site in sorted(found, key=lambda pair: pair[0]):
        best.setdefault(site.key, site)
    return list(best.values())


def call_totals(log: RunLog, before: int) -> dict[int, tuple[float, ...]]:
    """Return, by moment of the enclosing call, the totals that were accumulated in it: token and byte counts."""
    out: dict[int, list[float]] = {}
    for trace in log.traces.values():
        offsets = trace.offsets
        for a, b, call in candidates(trace, before):
            out.setdefault(call, []).append(float(trace.values[offsets[a] : offsets[b]].sum()))
    return {call: tuple(t for t in totals if t > 1) for call, totals in out.items()}


def reproduces(
    metric: MetricLine, values: np.ndarray, count: int, real_bytes: int, targets: int, totals: tuple[float, ...]
) -> tuple[float, str] | None:
    """Return (nats per unit, which printed number) where the sum of `values` gives the metric, else None."""
    total = abs(float(values.sum()))
    if not math.isfinite(total) or total == 0:
        return None
    if metric.loss is not None and metric.loss > 0:
        tolerance = tolerance_of(metric, metric.loss)
        for scores in {count, targets, *(int(t) for t in totals if abs(t - count) < 0.02 * count)}:
            if abs(total / scores - metric.loss) <= tolerance:
                return 1.0, "val_loss" if values.size != real_bytes or values.size == targets else BYTEWISE
    if metric.bpb is not None and metric.bpb > 0:
        tolerance = tolerance_of(metric, metric.bpb)
        for denominator, by in ((values.size, BYTEWISE), *((d, "val_bpb") for d in (real_bytes, *totals))):
            for unit in (1.0, LN2):
                if abs(total * unit / LN2 / denominator - metric.bpb) <= tolerance:
                    return unit, by
    return None


def tolerance_of(metric: MetricLine, value: float) -> float:
    """Return the absolute agreement to ask for."""
    if metric.line.exact:
        return EXACT * value
    shown = (m.group(0) for m in DIGITS.finditer(metric.line.text))
    digits = max((len(text.split(".")[1]) for text in shown if float(text) == value), default=5)
    return max(0.51 * 10.0**-digits, EXACT * value)


def make_site(trace: Trace, metric: MetricLine, a: int, b: int, call: int, match: tuple[float, str]) -> Site:
    offsets = trace.offsets
    lengths = trace.lengths[a:b]
    return Site(
        metric=metric,
        key=trace.key,
        function=trace.function,
        target=trace.target,
        source_line=trace.line,
        first=a + trace.dropped,
        entries=b - a,
        values=trace.values[offsets[a] : offsets[b]],
        owners=np.repeat(np.arange(b - a), lengths),
        times=trace.times[a:b],
        start=call,
        unit=match[0],
        by=match[1],
    )
