"""Run the vocabulary at single positions, and hold what it sums to against the scores that are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from auditor.prover import causality, data, normalise, plan
from auditor.prover.examination import Examination, entries_of
from auditor.prover.job import Variant
from auditor.prover.runlog import RunLog
from auditor.prover.session import Session


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
    """Say whether probabilities were summed over the whole vocabulary and did not give 1."""
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
        if total.first != element:
            found.leak = found.leak or causality.earlier_than_own(position, was, total.first, total.strong)
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
    cut = {t: v[:size] for t, v in runs.items() if v.size == size or (v.size > size and t != data.BOS)}
    was = int(mini.stream[position])
    return normalise.total(position, site.values[:size], was, cut, site.unit, mini.tokenizer.control, data.BOS)


def early_enough(found: Examination, position: int, element: int, runs: dict[int, np.ndarray]) -> bool:
    """Say whether a fork that changed `position` gave, `element` included, what the single-token test gave.

    One that comes after the batch was fetched changes some of what is computed from the token and not the rest.
    """
    for probe in found.probes:
        other = runs.get(probe.now) if probe.position == position else None
        if other is not None and probe.values is not None and probe.values.size > element:
            return bool(np.array_equal(*plan.values_until(probe.values, other)))
    return False
