"""Decide from runs on changed tokens whether scores depend on tokens that were scored later. Pure functions.

No order of scoring is assumed. A token's own score changes with it, so the first score that changes is either its own
or one recorded before its own; hence two far apart tokens that share a first changed score prove a leak, whatever the
order was. Nearer leaks show in neighbours that share one, taken to be scored in text order. Where first scores say
nothing, two tokens that each move the other's score do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.prover.witness import Witness

LEAST_MOVED = 3
"""Changed tokens that must have moved a score before anything is said of the order."""
CLEARLY = 10.0
"""How many times more, at least, changed tokens move their own scores than the ones before, which only caches move."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A run with one token changed: what happened to the scores."""

    position: int
    was: int
    now: int
    first: int | None
    """Index of the first element that changed, None where none did."""
    changed: int
    same_length: bool
    values: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Causality:
    """What the changed-token runs established."""

    holds: bool | None
    """True: every tested token changed nothing that was scored before it. None: not decidable."""
    order: str
    """"stream" (element i scores token i + 1), "own" (another order, consistent) or "unknown"."""
    witness: Witness | None
    reason: str = ""
    first: tuple[tuple[int, int], ...] = ()
    """(position, first changed element) of the tested tokens."""


def compare(position: int, was: int, now: int, base: np.ndarray, other: np.ndarray) -> Probe:
    """Compare two runs bit for bit."""
    size = min(base.size, other.size)
    different = np.flatnonzero(base[:size] != other[:size])
    first = int(different[0]) if different.size else (None if base.size == other.size else size)
    return Probe(position, was, now, first, int(different.size), base.size == other.size, other)


def judge(probes: Sequence[Probe], base: np.ndarray, targets: int, timed: bool, complete: bool) -> Causality:
    """Judge single-token `probes` against `base` [elements].

    `timed`: the elements were logged as they were computed. `complete`: every token is scored.
    """
    live = [p for p in probes if p.first is not None]
    if not all(p.same_length for p in live):
        return Causality(None, "unknown", None, "changing one token changed how many scores there are")
    if len(live) < LEAST_MOVED:
        return Causality(None, "unknown", None, "changing tokens changes no score of the metric")
    first = tuple((p.position, p.first) for p in live if p.first is not None)
    if in_stream_order(first):
        return Causality(True, "stream", None, first=first)
    if not timed:
        reason = "the scores are not logged as they are computed, and do not stand in text order"
        return Causality(None, "unknown", None, reason, first=first)
    leak = shared_first(live, base, targets) or (shared_by_neighbours(live, base) if complete else None)
    if leak is not None:
        return Causality(False, "unknown", leak, first=first)
    if not stepping(first):
        return Causality(None, "unknown", None, "the order of scoring could not be established", first=first)
    return Causality(True, "own", None, first=first)


def shared_by_blocks(block: Probe, suffix: Probe, base: np.ndarray) -> Witness | None:
    """Two stretches without a token in common whose changes first show in the same element, which scores one token.

    What `shared_first` says of single tokens, with many changed at once: leaks too weak for one token show. Takes the
    elements to be in time order.
    """
    if block.first is None or block.first != suffix.first:
        return None
    if not (block.same_length and suffix.same_length):
        return None
    values = block.values
    before, after = float(base[block.first]), float("nan") if values is None else float(values[block.first])
    message = (
        f"changing tokens {block.position} up to {suffix.position} moved score {block.first} from {before:.9g} to "
        f"{after:.9g}; so does changing those from {suffix.position} on; it scores at most one token"
    )
    return Witness("shared by blocks", block.position, -1, -1, block.first, before, after, message)


def in_stream_order(first: Sequence[tuple[int, int]]) -> bool:
    """Return True when no token moved a score before its own in the stream, and most moved their own.

    A count model may give two tokens the same probability: then the own score stays, and a later one moves first.
    """
    exact = sum(element == position - 1 for position, element in first)
    return 2 * exact >= len(first) and all(element >= position - 1 for position, element in first)


def shared_first(probes: Sequence[Probe], base: np.ndarray, targets: int) -> Witness | None:
    """Two far apart tokens whose changes first show in the same element: at most one of them owns it.

    Sound for any order of scoring in which the elements are in time order.
    """
    for i, p in enumerate(probes):
        for q in probes[i + 1 :]:
            if p.first == q.first and abs(p.position - q.position) > targets // 8:
                same = f"so does changing token {p.position}; it scores at most one of them"
                return explain("shared first score", q, base, same)
    return None


def shared_by_neighbours(probes: Sequence[Probe], base: np.ndarray) -> Witness | None:
    """Two pairs of neighbours, each of which moves the same first score: the second of a pair is scored after it.

    Takes all tokens to be scored, neighbours in text order. Two pairs, because a count model may leave a token's own
    score where it was, and then the next one moves first.
    """
    by_position = {p.position: p for p in probes}
    pairs = [(p, by_position[p.position + 1]) for p in probes if p.position + 1 in by_position]
    shared = [(p, q) for p, q in pairs if p.first == q.first]
    if len(pairs) < 2 or len(shared) < len(pairs):
        return None
    p, q = shared[-1]
    return explain("shared by neighbours", q, base, f"so does changing token {p.position}, which is scored before it")


def stepping(first: Sequence[tuple[int, int]]) -> bool:
    """Return True when the first moved scores of neighbouring tokens step by one and no two tokens share one."""
    known = dict(first)
    pairs = [(p, p + 1) for p in known if p + 1 in known]
    return len(set(known.values())) == len(known) and bool(pairs) and all(known[b] == known[a] + 1 for a, b in pairs)


def judge_suffix(start: int, probe: Probe, base: np.ndarray) -> Witness | None:
    """A run with tokens from `start` on changed and none before, for a scorer in stream order: earlier scores stay."""
    if probe.first is None or probe.first >= start - 1 or not probe.same_length:
        return None
    return explain("suffix", probe, base, "that score is of a token before them")


def earlier_than_own(position: int, was: int, first: int | None, owners: Sequence[int]) -> Witness | None:
    """A token whose own scores are known by their sums, and which moves one recorded before them."""
    if first is None or not owners or first >= min(owners):
        return None
    message = f"changing token {position} moves score {first}; its own score is {min(owners)}, recorded later"
    return Witness("earlier score", position, was, -1, first, float("nan"), float("nan"), message)


def known_by_each_other(one: Probe, other: Probe, rest: Sequence[Probe], base: np.ndarray) -> Witness | None:
    """Two tokens of which each moves the other's score: whichever was scored first was scored knowing the other.

    Holds for any order in time, also where the scores come as one finished array. Which score is a token's own is told
    by its place, where the changes of all tokens, those of `rest` included, say so.
    """
    if not placed([one, other, *rest], base):
        return None
    mine, theirs = one.position - 1, other.position - 1
    if not (moves(one, theirs, base) and moves(other, mine, base)):
        return None
    reason = f"that is token {other.position}'s, and changing it moves score {mine}, token {one.position}'s"
    return explain("each other's scores", one, base, reason, theirs)


def placed(probes: Sequence[Probe], base: np.ndarray) -> bool:
    """Say whether element i scores token i + 1, by the changes of tokens.

    They are largest there or at the next token's score, which has the changed one for its nearest context; and the
    scores before theirs hardly move, as those would that were theirs.
    """
    if not all(p.same_length for p in probes):
        return False
    seen = [(p.position - 1, change_of(p, base)) for p in probes if p.first is not None]
    if len(seen) < LEAST_MOVED or not all(own > 0 and int(change.argmax()) in (own, own + 1) for own, change in seen):
        return False
    before, at, after = (sum(c[own + k] for own, c in seen if own + k < c.size) for k in (-1, 0, 1))
    return bool(CLEARLY * before < at and after < CLEARLY * at)


def change_of(probe: Probe, base: np.ndarray) -> np.ndarray:
    """Return float64 [elements that both runs have]: by how much each moved."""
    assert probe.values is not None
    size = min(base.size, probe.values.size)
    change: np.ndarray = np.abs(probe.values[:size] - base[:size])
    return change


def moves(probe: Probe, element: int, base: np.ndarray) -> bool:
    values = probe.values
    return values is not None and element < min(values.size, base.size) and bool(values[element] != base[element])


def explain(kind: str, probe: Probe, base: np.ndarray, reason: str, moved: int | None = None) -> Witness:
    """Say which score moved: the first one, if not `moved`."""
    element = probe.first if moved is None else moved
    assert element is not None
    before = float(base[element]) if element < base.size else float("nan")
    other = probe.values
    after = float(other[element]) if other is not None and element < other.size else float("nan")
    what = f"token {probe.position} from {probe.was} to {probe.now}"
    if probe.was < 0:
        what = f"tokens from {probe.position} on"
    message = f"changing {what} moved score {element} from {before:.9g} to {after:.9g}; {reason}"
    return Witness(kind, probe.position, probe.was, probe.now, element, before, after, message)
