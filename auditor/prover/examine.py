"""Examine one script on one miniature: run, locate the metric, fork, compare. Decides nothing beyond this miniature."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from auditor.intake.metric_lines import metrics_in
from auditor.prover import causality, counting, data, normalise, plan
from auditor.prover.job import Miniature, Variant
from auditor.prover.locate import MetricLine, Site, find_site, find_sites, last_figure, metric_lines
from auditor.prover.runlog import RunLog
from auditor.prover.session import NeedsBuild, Session, Undecided
from auditor.prover.witness import Witness

NEAR = 32
"""Scores after the first changed token that may tie by chance before the suffix run shows a difference."""


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


def examine(session: Session, mini: Miniature, doubtful: bool = False) -> Examination:
    """Run all tests of the session's conditions on `mini`. Raises Undecided with the class of reason.

    `doubtful`: the base run may well crash, so see it end before another is begun.
    """
    base_run, suffix_run = plan.first_job(mini)
    logs = session.run("locate", mini, (base_run,) if doubtful else (base_run, suffix_run))
    base, changed = logs.get("base/main"), logs.get("suffix/main")
    if base is None:
        raise Undecided("no-result", "the run ended without a readable result, or not in time")
    if base.builds:
        raise NeedsBuild(base.builds)
    sites, headline = locate(session, base, mini)
    if doubtful:
        changed = session.run("suffix", mini, (suffix_run,)).get("suffix/main")
    if changed is None:
        raise Undecided("no-result", "the run on other tokens ended without a readable result, or not in time")
    both = ((site, same_site(changed, site, mini, suffix_run.changes)) for site in sites)
    site, suffix = next(((site, values) for site, values in both if values is not None), (None, None))
    if site is None or suffix is None:
        raise Undecided("site-unstable", "with other tokens the located scores no longer make up the printed number")
    found = Examination(mini, base, site, headline)
    if session.conditions & {"c1", "c2", "c3"}:
        order_tests(session, found, suffix)
    return found


def locate(session: Session, log: RunLog, mini: Miniature) -> tuple[list[Site], bool | None]:
    """Return the sites of the line to test, likeliest first, and whether that line is the claimed number's."""
    lines = metric_lines(log)
    if not lines and log.error is None and session.script.stages in ((), session.script.calls):
        lines = last_figure(log)  # the script ended, and this is all that it ever says of its score
    if not lines:
        if log.error:
            raise failure(log, log.error)
        raise Undecided("no-metric", "the run printed no bits-per-byte result")
    wanted = [m for m in lines if session.headline and session.headline in names(m)]
    if session.headline and not wanted and log.error:
        raise failure(log, f"before the line of the claimed number: {log.error}")
    if not session.headline and log.error:
        raise failure(log, f"after {lines[-1].line.text[:80]!r}: {log.error}")
    real = int(data.target_bytes(mini.tokenizer, mini.stream).sum())
    for metric in reversed(wanted or lines):
        if session.left() <= 0:
            raise Undecided("budget", "the time budget was used up while the printed number's terms were sought")
        sites = find_sites(log, metric, mini.targets, real)
        if sites:
            last = metric is (wanted or lines)[-1] or equal(metric, (wanted or lines)[-1])
            known = bool(wanted) if session.headline else None
            return sites, known if last else False
        if wanted:
            break
    if log.error:
        raise failure(log, log.error)
    raise Undecided("no-site", f"no logged sum reproduces {(wanted or lines)[-1].line.text[:120]!r}")


def equal(a: MetricLine, b: MetricLine) -> bool:
    return a.bpb is not None and b.bpb is not None and abs(a.bpb - b.bpb) <= 1e-5 * abs(b.bpb)


def names(metric: MetricLine) -> set[str]:
    return {fields.name for fields in metrics_in(metric.line.text)}


def failure(log: RunLog, message: str) -> Undecided:
    """Return what says that a run failed, and the kind of its failure."""
    if log.refused:
        return Undecided("native-helper", f"{message}; a library could not be compiled: {log.refused.strip()[-200:]}")
    return Undecided(error_class(log.error or ""), message)


NATIVE = re.compile(r"CUDA_HOME|nvcc|ninja|\.so\b.*cannot open shared object|c\+\+ extension", re.IGNORECASE)
RANKS = re.compile(r"WORLD_SIZE|torchrun")
STAND_INS = re.compile(r"'(Nothing|StubClass|Stub)'")


def error_class(error: str) -> str:
    """Name the kind of failure of a run."""
    kind = error.split(":", 1)[0]
    if NATIVE.search(error):
        return "native-helper"
    if STAND_INS.search(error):
        return "missing-module"
    if RANKS.search(error):
        return "several-ranks"
    if kind in ("ModuleNotFoundError", "ImportError"):
        return "missing-module"
    if kind in ("FileNotFoundError", "PermissionError", "IsADirectoryError", "NotADirectoryError"):
        return "missing-file"
    if kind in ("MemoryError",):
        return "memory"
    return "crash"


def same_site(log: RunLog, site: Site, mini: Miniature, changes: Mapping[int, int]) -> np.ndarray | None:
    """Return the elements of `site` in a run with `changes`, None where they do not make up its printed number."""
    real = site.metric.line.at
    every = metric_lines(log) or last_figure(log)
    lines = [m for m in every if m.line.text[:12] == site.metric.line.text[:12]] or every
    near = sorted(lines, key=lambda m: abs(m.line.at - real))
    stream = mini.stream.copy()
    stream[list(changes)] = list(changes.values())
    total = int(data.target_bytes(mini.tokenizer, stream).sum())
    for metric in near[:3]:
        other = find_site(log, metric, mini.targets, total, only=site.key)
        if other is not None and abs(other.values.size - site.values.size) <= mini.targets:
            return other.values
    return None


def entries_of(log: RunLog, site: Site) -> np.ndarray | None:
    """Return the elements of the site's entries in a branch, as far as it got."""
    trace = log.traces.get(site.key)
    if trace is None or site.first < trace.dropped:
        return None
    offsets = trace.offsets
    first = site.first - trace.dropped
    last = min(first + site.entries, trace.lengths.size)
    return trace.values[offsets[first] : offsets[last]] if first < last else np.zeros(0)


def order_tests(session: Session, found: Examination, suffix: np.ndarray) -> None:
    """Judge order, causality and sums, by forks where the suffix run already speaks for stream order."""
    start = plan.suffix_start(found.mini)
    whole = causality.compare(start, -1, -1, found.site.values, suffix)
    if whole.first is not None and start - 1 <= whole.first < start + NEAR:
        stream_tests(session, found, whole)
    else:
        own_order_tests(session, found, whole)
    if found.leak is None and found.order is not None and found.order.order == "stream":
        found.leak = causality.judge_suffix(start, whole, found.site.values)
    if found.leak is None and found.order is not None and found.order.order == "own":
        own_order_sums(session, found)


def own_order_tests(session: Session, found: Examination, suffix: causality.Probe, forks: bool = True) -> None:
    """Judge order by a whole run on a changed block against the suffix, which may settle a leak, then single tokens.

    `forks`: try to change single tokens in forks first; whole runs are dearer.
    """
    block = Variant("block", plan.block_changes(found.mini))
    logs = session.run("whole runs", found.mini, (block,), only=[found.site.key])
    probe = block_probe(logs, found, "block", int(found.mini.stream.size * plan.BLOCK))
    found.leak = causality.shared_by_blocks(probe, suffix, found.site.values, found.site.owners)
    if found.leak is not None:
        found.order = causality.Causality(False, "unknown", found.leak)
        return
    found.probes = forked_probes(session, found, suffix) if forks else []
    if found.deterministic is False:
        return
    found.probes = found.probes or full_probes(session, found, plan.late_changes(found.mini))
    found.order = causality.judge(found.probes, found.site.values, found.site.owners, found.mini.targets)
    found.leak = found.order.witness


def forked_probes(session: Session, found: Examination, suffix: causality.Probe) -> list[causality.Probe]:
    """Change single tokens in forks that run to the end of the evaluation; none where forks do not match whole runs."""
    branches = tuple(plan.causality_branches(found.mini, found.site, False))
    logs = session.run("fork", found.mini, (Variant("again", {}, branches),), only=[found.site.key])
    compare_repeat(found, logs)
    if found.deterministic is False or not forks_valid(found, logs, suffix):
        return []
    probes = probes_of(logs, found, plan.late_changes(found.mini))
    return probes if all(p.values is not None and p.values.size >= found.site.values.size for p in probes) else []


def compare_repeat(found: Examination, logs: dict[str, RunLog]) -> None:
    """Note whether the run from which others were forked gave the scores of the first one."""
    main = logs.get("again/main")
    repeat = None if main is None else entries_of(main, found.site)
    found.deterministic = None if repeat is None else bool(np.array_equal(repeat, found.site.values))


def forks_valid(found: Examination, logs: dict[str, RunLog], suffix: causality.Probe) -> bool:
    """Say whether the fork with the suffix changed gave, as far as it ran, what the whole run on changed files gave."""
    forked = entries_of(logs["again/suffix"], found.site) if "again/suffix" in logs else None
    assert suffix.values is not None
    valid = forked is not None and forked.size > 0 and np.array_equal(*plan.values_until(suffix.values, forked))
    if not valid:
        found.notes.append("forks before the evaluation did not match whole runs; tokens were changed from the start")
    return bool(valid)


def block_probe(logs: dict[str, RunLog], found: Examination, name: str, start: int) -> causality.Probe:
    """Compare the whole run `name` with the base run. Raises Undecided where it did not end."""
    log = logs.get(f"{name}/main")
    values = None if log is None else entries_of(log, found.site)
    if values is None:
        raise Undecided("no-result", "a run on other tokens ended without a readable result, or not in time")
    return causality.compare(start, -1, -1, found.site.values, values)


def singles(changes: dict[int, int]) -> list[Variant]:
    return [Variant(f"single-{p}", {p: t}) for p, t in changes.items()]


def stream_tests(session: Session, found: Examination, suffix: causality.Probe) -> None:
    """Fork one run before its evaluation: repeat, suffix, single tokens, vocabulary sums."""
    mini, site = found.mini, found.site
    own = plan.own_in_stream_order(plan.sum_positions(mini), site) if "c2" in session.conditions else {}
    branches = (*plan.causality_branches(mini, site, True), *plan.sum_branches(mini, site, own))
    early = Variant("early", plan.early_changes(mini))
    whole = (early,) if session.conditions & {"c1", "c3"} else ()
    again = session.run("fork", mini, (Variant("again", {}, branches), *whole), only=[site.key])
    compare_repeat(found, again)
    if found.deterministic is False:
        return
    if not forks_valid(found, again, suffix):
        own_order_tests(session, found, suffix, forks=False)
        return
    found.probes = probes_of(again, found, plan.single_changes(mini))
    found.order = causality.judge(found.probes, site.values, site.owners, mini.targets)
    found.leak = found.order.witness
    if found.leak is None and found.order.order == "stream" and "early/main" in again:
        probe = block_probe(again, found, "early", plan.EARLY)
        found.leak = causality.judge_suffix(plan.EARLY, probe, site.values)
    if found.leak is None and found.order.order == "stream":
        sum_tests(found, again, own)
        sums_left(session, found, own)
        if own and found.excess is None and not reached(found, own) and session.left() > 10:
            found.sums.clear()
            found.late = True
            sums_by_forks(session, found, dict([min(own.items())]), from_start=True)


def own_order_sums(session: Session, found: Examination) -> None:
    """Sum the vocabulary at one tested token, for a scorer in an order of its own: its score sums to 1.

    Where it sums to less, the mixture may be no distribution and exceed 1 at another: the others are looked at too.
    """
    assert found.order is not None
    for one in reversed(found.order.first):
        own, known = dict([one]), list(found.sums)
        sums_by_forks(session, found, own)
        if found.excess is None and not reached(found, own) and session.left() > 10:
            found.sums[:] = known
            sums_by_forks(session, found, own, from_start=True)
        if found.excess is not None or session.left() < 10 or not short(found.sums[len(known) :]):
            return


def short(sums: Sequence[normalise.Sum]) -> bool:
    """Say whether probabilities were summed over the whole vocabulary and fell short of 1."""
    return any(s.complete and s.total is not None and not s.consistent for s in sums)


def reached(found: Examination, own: dict[int, int]) -> bool:
    """Say whether a summed token moved its own score: a fork that came too late moves others or none."""
    return any(s.first is not None and s.first == own.get(s.position) for s in found.sums)


def sums_left(session: Session, found: Examination, own: dict[int, int]) -> None:
    """Sum at the positions of `own` whose forks came too late, from an earlier moment."""
    left = {p: element for p, element in own.items() if not any(s.position == p for s in found.sums)}
    if left and found.excess is None and session.left() > 10:
        sums_by_forks(session, found, left, wide=True)


def sums_by_forks(
    session: Session, found: Examination, own: dict[int, int], from_start: bool = False, wide: bool = False
) -> None:
    branches = tuple(plan.sum_branches(found.mini, found.site, own, from_start, wide=wide))
    logs = session.run("sum", found.mini, (Variant("again", {}, branches),), only=[found.site.key])
    sum_tests(found, logs, own)


def probes_of(logs: dict[str, RunLog], found: Examination, changes: Mapping[int, int]) -> list[causality.Probe]:
    """Compare the branch of every one of `changes` (position -> token) with the base run, as far as it got."""
    probes = []
    for position, token in changes.items():
        log = logs.get(f"again/single-{position}")
        values = None if log is None else entries_of(log, found.site)
        if values is not None:
            base = found.site.values[: values.size]
            probes.append(causality.compare(position, int(found.mini.stream[position]), token, base, values))
    return probes


def full_probes(session: Session, found: Examination, changes: dict[int, int]) -> list[causality.Probe]:
    """Run single-token changes from the start."""
    logs = session.run("whole runs", found.mini, singles(changes), only=[found.site.key])
    probes = whole_probes(logs, found, changes)
    if len(probes) < len(changes):
        raise Undecided("budget", "runs with one token changed did not end in time")
    return probes


def whole_probes(logs: dict[str, RunLog], found: Examination, changes: dict[int, int]) -> list[causality.Probe]:
    """Compare whole runs with one token changed with the base run."""
    probes = []
    for position, token in changes.items():
        log = logs.get(f"single-{position}/main")
        values = None if log is None else entries_of(log, found.site)
        if values is not None:
            was = int(found.mini.stream[position])
            probes.append(causality.compare(position, was, token, found.site.values, values))
    return probes


def sum_tests(found: Examination, logs: dict[str, RunLog], own: dict[int, int], known_early: bool = False) -> None:
    """Sum the vocabulary at every position of `own` (position -> element that is thought to score it).

    `known_early`: forks before a batch are known to come early enough in this script.
    """
    for position, element in own.items():
        total = summed(found, logs, position, element, known_early)
        if total is None:
            continue
        was = int(found.mini.stream[position])
        found.sums.append(total)
        found.leak = found.leak or causality.earlier_than_own(position, was, total.first, total.owners)
        found.excess = found.excess or normalise.judge(total, element)


def summed(
    found: Examination, logs: dict[str, RunLog], position: int, element: int, known_early: bool = False
) -> normalise.Sum | None:
    """Sum the vocabulary at `position`; None where no fork got to `element`, or they came too late."""
    mini, site = found.mini, found.site
    runs = {}
    for token in range(mini.tokenizer.vocab):
        log = logs.get(f"again/sum-{position}-{token}")
        values = None if log is None else entries_of(log, site)
        if values is not None and values.size > element:
            runs[token] = values
    if not runs or not (known_early or early_enough(found, position, element, runs)):
        return None
    size = Counter(v.size for v in runs.values()).most_common(1)[0][0]
    control = mini.tokenizer.control
    cut = {t: v[:size] for t, v in runs.items() if v.size == size or (v.size > size and not control[t])}
    was = int(mini.stream[position])
    return normalise.total(position, site.values[:size], was, cut, site.unit, control)


def early_enough(found: Examination, position: int, element: int, runs: dict[int, np.ndarray]) -> bool:
    """Say whether a fork that changed `position` gave, `element` included, what the single-token test gave.

    One that comes after the batch was fetched changes some of what is computed from the token and not the rest.
    """
    for probe in found.probes:
        other = runs.get(probe.now) if probe.position == position else None
        if other is not None and probe.values is not None and probe.values.size > element:
            return bool(np.array_equal(*plan.values_until(probe.values, other)))
    return False


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
