"""What one miniature showed, and how other runs of it compare with the first. Pure but for what they note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from auditor.prover import causality, counting, data, normalise, plan
from auditor.prover.job import Miniature
from auditor.prover.locate import Site
from auditor.prover.runlog import RunLog
from auditor.prover.session import Undecided
from auditor.prover.witness import Witness


@dataclass(slots=True)
class Examination:
    """What one miniature showed."""

    mini: Miniature
    log: RunLog
    site: Site
    headline: bool | None
    order: causality.Causality | None = None
    probes: list[causality.Probe] = field(default_factory=list)
    """Of the single-token tests."""
    sums: list[normalise.Sum] = field(default_factory=list)
    leak: Witness | None = None
    excess: Witness | None = None
    late: bool = False
    """True where forks before a batch come too late for sums: what they change was read before the evaluation's first
    batch."""
    deterministic: bool | None = None
    notes: list[str] = field(default_factory=list)


def entries_of(log: RunLog, site: Site) -> np.ndarray | None:
    """Return the elements of the site's entries in a branch, as far as it got."""
    trace = log.traces.get(site.key)
    if trace is None or site.first < trace.dropped:
        return None
    offsets = trace.offsets
    first = site.first - trace.dropped
    last = min(first + site.entries, trace.lengths.size)
    return trace.values[offsets[first] : offsets[last]] if first < last else np.zeros(0)


def probes_of(
    logs: dict[str, RunLog], found: Examination, changes: Mapping[int, int], whole: bool = False
) -> list[causality.Probe]:
    """Compare the run of every one of `changes` (position -> token) with the base run.

    Branches count as far as they got; `whole` runs from the start have to give as many scores.
    """
    probes = []
    for position, token in changes.items():
        log = logs.get(f"single-{position}/main" if whole else f"again/single-{position}")
        values = None if log is None else entries_of(log, found.site)
        if values is not None:
            base = found.site.values if whole else found.site.values[: values.size]
            probes.append(causality.compare(position, int(found.mini.stream[position]), token, base, values))
    return probes


def block_probe(logs: dict[str, RunLog], found: Examination, name: str, start: int) -> causality.Probe:
    """Compare the whole run `name` with the base run. Raises Undecided where it did not end."""
    log = logs.get(f"{name}/main")
    values = None if log is None else entries_of(log, found.site)
    if values is None:
        raise Undecided("no-result", "a run on other tokens ended without a readable result, or not in time")
    return causality.compare(start, -1, -1, found.site.values, values)


def compare_repeat(found: Examination, logs: dict[str, RunLog]) -> None:
    """Note whether the run from which others were forked gave the scores of the first one."""
    main = logs.get("again/main")
    ended = main is not None and (main.error is None or found.log.error is not None)
    repeat = entries_of(main, found.site) if main is not None and ended else None
    found.deterministic = None if repeat is None else bool(np.array_equal(repeat, found.site.values))


def forks_valid(found: Examination, logs: dict[str, RunLog], suffix: causality.Probe) -> bool:
    """Say whether the fork with the suffix changed gave, as far as it ran, what the whole run on changed files gave."""
    forked = entries_of(logs["again/suffix"], found.site) if "again/suffix" in logs else None
    assert suffix.values is not None
    valid = forked is not None and forked.size > 0 and np.array_equal(*plan.values_until(suffix.values, forked))
    if not valid:
        found.notes.append("forks before the evaluation did not match whole runs; tokens were changed from the start")
    return bool(valid)


def coverage_of(found: Examination) -> tuple[int, int] | None:
    """Return (statements, executed) of the function that scores."""
    return found.log.coverage.get(found.site.function)


def counts(found: Examination) -> tuple[counting.Coverage, counting.Bytes]:
    """Return how often positions are scored, and the byte denominator."""
    real = int(data.target_bytes(found.mini.tokenizer, found.mini.stream).sum())
    return (
        counting.coverage(found.site, found.mini.targets, 64),
        counting.implied_bytes(found.site, found.mini.targets, real),
    )
