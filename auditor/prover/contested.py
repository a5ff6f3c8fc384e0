"""Settle what single changed tokens left open: whether two tokens know of each other, then whose score moves first.

Two far apart tokens that are alike, each of which moves the other's score, are impossible in every order. Else the
whole vocabulary is tried at two neighbours.

One other token may leave a score where it was, all others together do not. So the first score that moves with any of
them is the token's own or one recorded before it, and the own one is known by its probabilities, which sum to 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from auditor.prover import causality, plan
from auditor.prover import examine as ex
from auditor.prover.confine import JobFailed
from auditor.prover.examination import Examination, probes_of
from auditor.prover.job import Miniature, Variant
from auditor.prover.locate import BYTEWISE
from auditor.prover.normalise import Sum
from auditor.prover.session import Session, Undecided
from auditor.prover.sums import summed
from auditor.prover.witness import Witness

REACH = 256
"""Scores after the first moved one among which a token's own is looked for: four windows of the miniature."""
LEAST_SECONDS = 20.0
"""Time without which the runs are not begun."""


def examine(session: Session, mini: Miniature, doubtful: bool = False) -> Examination:
    """Examine `mini`, and settle the order of scoring where single tokens leave it open. Raises Undecided.

    Scores of bytes stay as they are: no one of them sums to 1 over the vocabulary.
    """
    found = ex.examine(session, mini, doubtful)
    for step in (try_pairs, try_twins, settle):
        if found.leak is None and found.order is not None and found.order.holds is None and found.site.by != BYTEWISE:
            try:
                step(session, found)
            except (Undecided, JobFailed) as reason:
                found.notes.append(f"the order of scoring could not be looked into further: {reason}")
            if found.leak is not None:
                found.order = causality.Causality(False, "unknown", found.leak)
    return found


def try_pairs(session: Session, found: Examination) -> None:
    """Look at all pairs of the tokens that were changed singly."""
    for one, other in itertools.combinations(found.probes, 2):
        rest = [probe for probe in found.probes if probe.position not in (one.position, other.position)]
        found.leak = found.leak or causality.known_by_each_other(one, other, rest, found.site.values)


def try_twins(session: Session, found: Examination) -> None:
    """Change one of two far apart tokens that are alike, then the other, in whole runs."""
    twins = plan.twin_changes(found.mini)
    if not twins or session.left() < LEAST_SECONDS:
        return
    logs = session.run("twins", found.mini, ex.singles(twins), only=[found.site.key])
    probes = probes_of(logs, found, twins, whole=True)
    if len(probes) < 2:
        return
    one, other = probes
    found.leak = causality.known_by_each_other(one, other, found.probes, found.site.values)


def settle(session: Session, found: Examination) -> None:
    """Sum the vocabulary at one of two tested neighbours, then at the other, until that shows what moves first.

    What moves first says nothing where the scores are not in time order, nor of tokens that may not be scored at all.
    """
    if not (found.site.timed and found.site.complete(found.mini.targets)):
        return
    assert found.order is not None
    pair = pair_of(dict(found.order.first)) or {}
    sums: list[Sum] = []
    settled: Witness | bool | None = None
    for position, element in pair.items():
        if settled is not None or session.left() < LEAST_SECONDS:
            break
        own = {position: element}
        branches = tuple(plan.sum_branches(found.mini, found.site, own, from_start=True, beyond=REACH))
        logs = session.run("neighbours", found.mini, (Variant("again", {}, branches),), only=[found.site.key])
        total = summed(found, logs, position, element)
        if total is not None and total.first is not None:
            sums.append(total)
            settled = judge(sums)
    if isinstance(settled, Witness):
        found.leak = settled
    elif settled:
        found.sums += sums
        found.order = causality.Causality(True, "own", None, first=found.order.first)


def pair_of(first: dict[int, int]) -> dict[int, int] | None:
    """Return a pair of neighbours with their first moved scores: one that shares it, else the last."""
    pairs = [{p: first[p], p + 1: first[p + 1]} for p in first if p + 1 in first]
    return max(pairs, key=lambda pair: (len(set(pair.values())) == 1, max(pair)), default=None)


def judge(sums: Sequence[Sum]) -> Witness | bool | None:
    """Return a witness that a score moved before a token's own, True where two move their own first, else None."""
    leaks = (causality.earlier_than_own(s.position, -1, s.first, s.strong) for s in sums)
    leak = next((leak for leak in leaks if leak is not None), None)
    if leak is not None or len(sums) < 2:
        return leak
    one, other = sums
    assert one.first is not None and other.first is not None
    if one.first == other.first and one.foreign and other.foreign:
        message = (
            f"changing token {one.position} moves score {one.first} first, and so does changing token "
            f"{other.position}; it scores neither of them, as its probabilities do not sum to 1"
        )
        nan = float("nan")
        return Witness("shared by neighbours", one.position, -1, -1, one.first, nan, nan, message)
    return True if one.anchored and other.anchored and other.first == one.first + 1 else None
