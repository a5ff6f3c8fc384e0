"""Repeat on another miniature what an examination established: another seed confirms, a longer text reaches further."""

from __future__ import annotations

import itertools

from auditor.prover import causality, contested, plan, sums
from auditor.prover.examination import Examination, block_probe, compare_repeat, probes_of
from auditor.prover.examine import full_probes, locate
from auditor.prover.job import Branch, Miniature, Variant
from auditor.prover.locate import Site
from auditor.prover.runlog import RunLog
from auditor.prover.session import Session, Undecided

LEAST_SECONDS = 10.0
"""Time without which further positions are left out."""
DRAWS = 4
"""Ways in which a second seed's text is changed at most."""
LATE = 0.6
"""Sums of a longer text are taken from here on: past thresholds of 9,800 of 16,384 tokens."""


def located(session: Session, mini: Miniature, known: Site, *others: Variant) -> tuple[Examination, dict[str, RunLog]]:
    """Run the script on `mini`, and `others` beside it, and locate the metric at the place of `known`.

    Raises Undecided where that fails.
    """
    logs = session.run("again", mini, (Variant("base"), *others))
    if "base/main" not in logs:
        raise Undecided("no-result", "the run ended without a readable result, or not in time")
    sites, headline = locate(session, logs["base/main"], mini)
    site = next((site for site in sites if site.key == known.key), None)
    if site is None:
        raise Undecided("site-unstable", "on other text another place makes up the printed number")
    return Examination(mini, logs["base/main"], site, headline), logs


def leaks_again(session: Session, mini: Miniature, known: Site) -> bool:
    """Say whether block and suffix share a first score of `known` on `mini` too, and an equal run moves nothing.

    What is chosen by its score, among few candidates, hangs on how the text is changed, so that is done in up to
    DRAWS ways. Raises Undecided where it cannot be run.
    """
    found, logs = located(session, mini, known, Variant("repeat"), *stretches(mini, 0))
    equal(logs, found)
    if not found.site.timed:
        raise Undecided("order", "on other text the scores are not logged as they are computed")
    blocks, suffixes = [], []
    for draw in range(DRAWS):
        if draw:
            logs = session.run("again", mini, stretches(mini, draw), only=[found.site.key])
        blocks.append(block_probe(logs, found, "block", int(mini.stream.size * plan.BLOCK)))
        suffixes.append(block_probe(logs, found, "suffix", plan.suffix_start(mini)))
        pairs = itertools.product(blocks, suffixes)
        if any(causality.shared_by_blocks(*pair, found.site.values) for pair in pairs):
            return True
        if session.left() < LEAST_SECONDS:
            break
    return False


def stretches(mini: Miniature, draw: int) -> tuple[Variant, Variant]:
    """Return the runs with the block and with the suffix changed."""
    return Variant("block", plan.block_changes(mini, draw)), Variant("suffix", plan.suffix_changes(mini, draw))


def suffix_again(session: Session, mini: Miniature, first: Examination) -> bool:
    """Say whether, for scores in stream order, the change that moved earlier scores in `first` does so on `mini` too.

    An equal run shows that nothing else moves, single tokens that the order is the same. Raises Undecided where it
    cannot be run.
    """
    early = first.leak is not None and first.leak.position == plan.EARLY
    start = plan.EARLY if early else plan.suffix_start(mini)
    changes = plan.early_changes(mini) if early else plan.suffix_changes(mini)
    found, logs = located(session, mini, first.site, Variant("repeat"), Variant("changed", changes))
    equal(logs, found)
    if causality.judge_suffix(start, block_probe(logs, found, "changed", start), found.site.values) is None:
        return False
    singles = plan.late_changes(mini)
    forked = fork(session, found, tuple(plan.single_branches(found.site, singles, True)))
    moved = first_moved(probes_of(forked, found, singles))
    if len(moved) < causality.LEAST_MOVED:  # forks that change nothing come too late
        moved = first_moved(full_probes(session, found, singles))
    if len(moved) < causality.LEAST_MOVED or not causality.in_stream_order(moved):
        raise Undecided("order", "on other text the order of scoring could not be established")
    return True


def first_moved(probes: list[causality.Probe]) -> list[tuple[int, int]]:
    """Return (position, first moved score) of the changed tokens that moved one."""
    return [(p.position, p.first) for p in probes if p.first is not None]


def equal(logs: dict[str, RunLog], found: Examination) -> None:
    """Raise Undecided where the run on equal tokens gave other scores."""
    if block_probe(logs, found, "repeat", 0).first is not None:
        raise Undecided("nondeterministic", "two equal runs gave different scores")


def sums_again(session: Session, mini: Miniature, first: Examination) -> bool:
    """Say whether a sum over the vocabulary exceeds 1 on `mini` as in `first`, for scores in stream order.

    Looks at the summed position that exceeded there and at the first one, then at the others, then at further ones.
    Raises Undecided where it cannot be run.
    """
    found, _ = located(session, mini, first.site)
    own = plan.own_in_stream_order(plan.sum_positions(mini), found.site)
    further = plan.own_in_stream_order(plan.further_changes(mini), found.site)
    if not own:
        return False
    where = list(own)[min(position_number(first), len(own) - 1)]
    wanted = {where} if first.late else {where, *list(own)[:1]}
    for group in (wanted, own.keys() - wanted, *({position} for position in further)):
        if group and (session.left() > LEAST_SECONDS or group == wanted):
            sum_at(session, found, {p: element for p, element in (own | further).items() if p in group}, first.late)
        if found.excess is not None:
            return True
    return False


def sum_at(session: Session, found: Examination, own: dict[int, int], late: bool) -> None:
    """Sum at the positions of `own`, each held against a single-token test of its own.

    `late`: forks before a batch are known to come too late in this script.
    """
    changes = plan.single_changes(found.mini) | plan.further_changes(found.mini)
    singles = {position: token for position, token in changes.items() if position in own}
    tried = plan.sum_branches(found.mini, found.site, own, from_start=late)
    forked = fork(session, found, (*plan.single_branches(found.site, singles, True), *tried))
    found.probes = probes_of(forked, found, singles)
    sums.sum_tests(found, forked, own)
    if not late:
        sums.sums_left(session, found, own)


def fork(session: Session, found: Examination, branches: tuple[Branch, ...]) -> dict[str, RunLog]:
    """Fork `branches` from an equal run. Raises Undecided where that gave other scores."""
    logs = session.run("fork", found.mini, (Variant("again", {}, branches),), only=[found.site.key])
    compare_repeat(found, logs)
    if found.deterministic is not True:
        raise Undecided("nondeterministic", "two equal runs were not seen to give equal scores")
    return logs


def longer(session: Session, mini: Miniature, small: Examination) -> Examination:
    """Examine a longer text, where a scorer in stream order is known from `small` and its forks are known to be valid.

    Looks for what only shows behind thresholds: sums at late positions, which a second seed has to confirm with all
    checks, and the suffix in a whole run. Other scorers are examined in full. Raises Undecided where it cannot be run.
    """
    if small.order is None or small.order.order != "stream" or not small.sums:
        return contested.examine(session, mini)
    found, logs = located(session, mini, small.site, Variant("suffix", plan.suffix_changes(mini)))
    suffix = block_probe(logs, found, "suffix", plan.suffix_start(mini))
    found.order, found.deterministic, found.late = small.order, small.deterministic, small.late
    if not suffix.same_length:
        raise Undecided("order", "changing the second half changed how many scores there are")
    found.leak = causality.judge_suffix(plan.suffix_start(mini), suffix, found.site.values)
    if found.leak is None and "c2" in session.conditions:
        own = plan.own_in_stream_order(plan.sum_positions(mini), found.site)
        own = {position: element for position, element in own.items() if position > LATE * mini.targets}
        sums.sum_tests(
            found, fork(session, found, tuple(plan.sum_branches(mini, found.site, own, found.late))), own, True
        )
        found.leak = None  # a score that a sum moved too early may be due to a fork that came too late
    return found


def position_number(found: Examination) -> int:
    """Return which of the summed positions exceeded 1."""
    positions = plan.sum_positions(found.mini)
    exceeded = found.excess.position if found.excess is not None else -1
    return positions.index(exceeded) if exceeded in positions else 0
