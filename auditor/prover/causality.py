"""Decide from runs on changed tokens whether scores depend on tokens that were scored later. Pure functions.

No order of scoring is assumed. A token's own score changes with it, so the first score that changes is either its own
or one recorded before its own; hence two tokens that share a first changed score prove a leak, whatever the order was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
class Witness:
    """A small, replayable fact."""

    kind: str
    """"shared first score", "earlier score", "mutual dependence", "suffix" or "sum"."""
    position: int
    was: int
    now: int
    element: int
    before: float
    after: float
    message: str


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


def judge(probes: Sequence[Probe], base: np.ndarray, ordered: bool, targets: int) -> Causality:
    """Judge single-token `probes` against `base` [elements]; `ordered`: elements stand in the order of scoring."""
    live = [p for p in probes if p.first is not None]
    if not all(p.same_length for p in live):
        return Causality(None, "unknown", None, "changing one token changed how many scores there are")
    if len(live) < 3:
        return Causality(None, "unknown", None, "changing tokens changes no score of the metric")
    if all(p.first == p.position - 1 for p in live):
        return Causality(True, "stream", None)
    leak = shared_first(live, base, ordered, targets) or mutual(live, base, targets)
    if leak is not None:
        return Causality(False, "unknown", leak)
    if stepping(live):
        return Causality(True, "own", None, first=tuple((p.position, p.first) for p in live if p.first is not None))
    return Causality(None, "unknown", None, "the order of scoring could not be established")


def shared_first(probes: Sequence[Probe], base: np.ndarray, ordered: bool, targets: int) -> Witness | None:
    """Two far apart tokens whose changes first show in the same element: at most one of them owns it."""
    if not ordered:
        return None
    for i, p in enumerate(probes):
        for q in probes[i + 1 :]:
            if p.first == q.first and abs(p.position - q.position) > targets // 8:
                return explain(
                    "shared first score", q, base, f"so does changing token {p.position}; it scores at most one"
                )
    return None


def mutual(probes: Sequence[Probe], base: np.ndarray, targets: int) -> Witness | None:
    """Two tokens each of whose scores changes with the other: no order of scoring allows that.

    Uses the place of a token's score in stream order, so it applies only where there is one element per target.
    """
    if int(np.count_nonzero(base)) not in range(targets, targets + targets // 16):
        return None
    for i, p in enumerate(probes):
        for q in probes[i + 1 :]:
            if p.values is None or q.values is None:
                continue
            mine, yours = p.position - 1, q.position - 1
            if p.values[yours] != base[yours] and q.values[mine] != base[mine] and mine != yours:
                early, late = (p, q) if mine < yours else (q, p)
                return Witness(
                    "mutual dependence", late.position, late.was, late.now, early.position - 1,
                    float(base[early.position - 1]), float(late.values[early.position - 1]),  # type: ignore[index]
                    f"the score of token {early.position} changes with token {late.position}, and the reverse",
                )  # fmt: skip
    return None


def stepping(probes: Sequence[Probe]) -> bool:
    """Return True when neighbours' first changed elements step by one and no two tokens share one."""
    first = {p.position: p.first for p in probes if p.first is not None}
    pairs = [(p, p + 1) for p in first if p + 1 in first]
    return len(set(first.values())) == len(first) and bool(pairs) and all(first[b] == first[a] + 1 for a, b in pairs)


def judge_suffix(start: int, probe: Probe, base: np.ndarray) -> Witness | None:
    """A run with every token from `start` on changed, for a scorer in stream order: earlier scores must stay."""
    if probe.first is None or probe.first >= start - 1:
        return None
    return explain("suffix", probe, base, f"only tokens from {start} on were changed")


def earlier_than_own(probe: Probe, own: int, base: np.ndarray) -> Witness | None:
    """A token whose own element is known and which changed an element recorded before it."""
    if probe.first is None or probe.first >= own:
        return None
    return explain("earlier score", probe, base, f"its own score is element {own}")


def explain(kind: str, probe: Probe, base: np.ndarray, reason: str) -> Witness:
    assert probe.first is not None
    before = float(base[probe.first]) if probe.first < base.size else float("nan")
    other = probe.values
    after = float(other[probe.first]) if other is not None and probe.first < other.size else float("nan")
    message = (
        f"changing token {probe.position} from {probe.was} to {probe.now} moved score {probe.first} from {before:.9g} "
        f"to {after:.9g}; {reason}"
    )
    return Witness(kind, probe.position, probe.was, probe.now, probe.first, before, after, message)
