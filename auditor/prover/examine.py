"""Examine one script on one miniature: run, locate the metric, fork, compare. Decides nothing beyond this miniature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auditor.intake.metric_lines import metrics_in
from auditor.prover import causality, data, plan
from auditor.prover.examination import (
    Examination,
    block_probe,
    compare_repeat,
    forks_valid,
    probes_of,
)
from auditor.prover.failures import failure
from auditor.prover.job import Miniature, Variant
from auditor.prover.locate import BYTEWISE, MetricLine, Site, find_site, find_sites, last_figure, metric_lines
from auditor.prover.native import Wanted
from auditor.prover.runlog import RunLog
from auditor.prover.session import NeedsBuild, Session, Undecided
from auditor.prover.sums import own_order_sums, reached, sum_tests, sums_by_forks, sums_left

NEAR = 32
"""Scores after the first changed token that may tie by chance before the suffix run shows a difference."""


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
        others = changed or session.run("suffix", mini, (suffix_run,)).get("suffix/main")
        raise NeedsBuild(common(base.builds, others.builds if others is not None else ()))
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


def common(builds: tuple[Wanted, ...], others: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
    """Return what a run on other tokens wants to have compiled too: a library must carry nothing of the text."""
    keys = {one.key for one in others}
    return tuple(one for one in builds if one.key in keys)


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
            other = not session.headline and bool(names(metric) & session.others)
            known = bool(wanted) if session.headline else False if other else None
            return sites, known if last else False
        if wanted:
            break
    if log.error:
        raise failure(log, log.error)
    cut = ", and more was summed than is logged" if log.overflow else ""
    raise Undecided("no-site", f"no logged sum reproduces {(wanted or lines)[-1].line.text[:120]!r}{cut}")


def equal(a: MetricLine, b: MetricLine) -> bool:
    return a.bpb is not None and b.bpb is not None and abs(a.bpb - b.bpb) <= 1e-5 * abs(b.bpb)


def names(metric: MetricLine) -> set[str]:
    return {fields.name for fields in metrics_in(metric.line.text)}


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


def order_tests(session: Session, found: Examination, suffix: np.ndarray) -> None:
    """Judge order, causality and sums, by forks where the suffix run already speaks for stream order."""
    start = plan.suffix_start(found.mini)
    whole = causality.compare(start, -1, -1, found.site.values, suffix)
    if whole.first is not None and start - 1 <= whole.first < start + NEAR:
        stream_tests(session, found, whole)
    else:
        own_order_tests(session, found, whole)
    if found.leak is None and found.order is not None and found.order.order == "stream":
        judge_stretch(found, whole)
    if found.leak is None and found.order is not None and found.order.order == "own" and found.site.by != BYTEWISE:
        own_order_sums(session, found)


def judge_stretch(found: Examination, probe: causality.Probe) -> None:
    """Judge a run with a stretch changed, for scores in stream order; other numbers of scores show nothing."""
    if probe.same_length:
        found.leak = causality.judge_suffix(probe.position, probe, found.site.values)
    else:
        reason = f"changing tokens from {probe.position} on changed how many scores there are"
        found.order = causality.Causality(None, "unknown", None, reason)


def own_order_tests(session: Session, found: Examination, suffix: causality.Probe, forks: bool = True) -> None:
    """Judge order by a whole run on a changed block against the suffix, which may settle a leak, then single tokens.

    `forks`: try to change single tokens in forks first; whole runs are dearer.
    """
    mini, site = found.mini, found.site
    if site.timed:
        logs = session.run("whole runs", mini, (Variant("block", plan.block_changes(mini)),), only=[site.key])
        probe = block_probe(logs, found, "block", int(mini.stream.size * plan.BLOCK))
        found.leak = causality.shared_by_blocks(probe, suffix, site.values)
        if found.leak is not None:
            found.order = causality.Causality(False, "unknown", found.leak)
            return
    found.probes = forked_probes(session, found, suffix) if forks else []
    if found.deterministic is False:
        return
    found.probes = found.probes or full_probes(session, found, plan.late_changes(mini))
    found.order = causality.judge(found.probes, site.values, mini.targets, site.timed, site.complete(mini.targets))
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


def singles(changes: dict[int, int]) -> list[Variant]:
    return [Variant(f"single-{p}", {p: t}) for p, t in changes.items()]


def stream_tests(session: Session, found: Examination, suffix: causality.Probe) -> None:
    """Fork one run before its evaluation: repeat, suffix, single tokens, vocabulary sums."""
    mini, site = found.mini, found.site
    summed = "c2" in session.conditions and site.by != BYTEWISE
    own = plan.own_in_stream_order(plan.sum_positions(mini), site) if summed else {}
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
    found.order = causality.judge(found.probes, site.values, mini.targets, site.timed, site.complete(mini.targets))
    found.leak = found.order.witness
    if found.leak is None and found.order.order == "stream" and whole:
        judge_stretch(found, block_probe(again, found, "early", plan.EARLY))
    if found.leak is None and found.order.order == "stream":
        sum_tests(found, again, own)
        sums_left(session, found, own)
        if own and found.excess is None and not reached(found, own) and session.left() > 10:
            found.sums.clear()
            found.late = True
            sums_by_forks(session, found, dict([min(own.items())]), from_start=True)


def full_probes(session: Session, found: Examination, changes: dict[int, int]) -> list[causality.Probe]:
    """Run single-token changes from the start."""
    logs = session.run("whole runs", found.mini, singles(changes), only=[found.site.key])
    probes = probes_of(logs, found, changes, whole=True)
    if len(probes) < len(changes):
        raise Undecided("budget", "runs with one token changed did not end in time")
    return probes
