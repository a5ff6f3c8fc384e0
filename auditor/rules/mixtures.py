"""What the rules on mixtures share: how the table entries that a score is blended with were found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.learn import Learned
from auditor.interp.told import SAME_SHARE
from auditor.model.finding import PathStep
from auditor.rules.evidence_path import steps_of

FEWEST_PLACES = 16
"""Places by which the keys of a batch are told apart of which a sampled loop filled few rows."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """One blend of a score with values looked up in a table of tokens."""

    blend: Node
    target_keyed: tuple[Node, ...]
    """Reads whose key mixes the realised token with its context (a hash of both)."""
    exact: tuple[Node, ...]
    """Reads that pick the realised token's entry out of a distribution kept per context."""
    context: tuple[Node, ...]
    """Reads that do not know the realised token."""
    blind: bool
    """True where a component is the same for any realised token (an entropy, a constant)."""


def mixtures(analysis: Analysis) -> list[Mixture]:
    """Return the blends behind the headline whose tables hold tokens, with their reads told apart."""
    if analysis.composition is None:
        return []
    learned = analysis.trace.learned
    filled = {n.info.get("table") for n in analysis.trace.nodes if n.kind is Kind.CACHE_WRITE}
    found: list[Mixture] = []
    for blend in analysis.composition.blends:
        reads = [n for n in _reads(blend) if _holds_tokens(n, learned, filled)]
        if not reads and not blend.info["blind"]:
            continue
        target = blend.info["target"]
        if not blend.info["blind"] and not _placed(target, reads):
            continue
        keyed = [n for n in reads if any(hashed and _holds(arrays, target) for arrays, hashed in n.info["parts"])]
        exact = [n for n in reads if n not in keyed and any(_holds(arrays, target) for arrays, _ in n.info["parts"])]
        context = [n for n in reads if n not in keyed and n not in exact]
        found.append(Mixture(blend, tuple(keyed), tuple(exact), tuple(context), bool(blend.info["blind"])))
    return found


def unplaced(analysis: Analysis) -> Node | None:
    """Return a blend with looked-up tokens of which too few places are known to tell its keys apart, if there is one.

    Such a blend was filled by a loop of which only some iterations were followed.
    """
    learned = analysis.trace.learned
    filled = {n.info.get("table") for n in analysis.trace.nodes if n.kind is Kind.CACHE_WRITE}
    for blend in analysis.composition.blends if analysis.composition is not None else ():
        reads = [n for n in _reads(blend) if _holds_tokens(n, learned, filled)]
        if reads and not blend.info["blind"] and not _placed(blend.info["target"], reads):
            return blend
    return None


def _placed(target: np.ndarray, reads: list[Node]) -> bool:
    """Say whether enough places of a blend are known: most of them, or some, and in what was looked up as well."""
    known = target >= 0
    if known.mean() > SAME_SHARE:
        return True
    some = int(np.count_nonzero(known)) >= FEWEST_PLACES
    return some and all(_known_there(arrays, known) for n in reads for arrays, _ in n.info["parts"])


def _known_there(arrays: tuple[np.ndarray, ...], known: np.ndarray) -> bool:
    """Say whether the token arrays of a key have places where a target has: else they only seem to be others."""
    wanted = known.reshape(-1)
    return all(a.size == wanted.size and bool((a.reshape(-1) >= 0)[wanted].mean() > SAME_SHARE) for a in arrays)


def gates(analysis: Analysis) -> list[tuple[Node, Node]]:
    """Return (blend, read) pairs in which a look-up by the realised token weighs the model's own score of it."""
    if analysis.composition is None:
        return []
    learned = analysis.trace.learned
    filled = {n.info.get("table") for n in analysis.trace.nodes if n.kind is Kind.CACHE_WRITE}
    return [
        (blend, read)
        for blend in analysis.composition.blends
        for weight in blend.info["weights"]
        for read in _reads(weight)
        if _holds_tokens(read, learned, filled)
        and any(_holds(arrays, blend.info["target"]) for arrays, _ in read.info["parts"])
    ]


def _holds(arrays: tuple[np.ndarray, ...], target: np.ndarray) -> bool:
    """Say whether one of a key's token arrays is the token that is being scored, element by element."""
    wanted = target.reshape(-1)
    for array in arrays:
        mine = array.reshape(-1)
        if mine.size == wanted.size and mine.size:
            known = wanted >= 0
            if known.any() and (mine == wanted)[known].mean() > SAME_SHARE:
                return True
        elif mine.size and wanted.size and int(mine.max()) == int(wanted.max()):
            return True
    return False


def _reads(root: Node) -> list[Node]:
    found = [n for n in ancestors(root, into_state=False, cap=2_000) if n.kind is Kind.CACHE_READ]
    return sorted(found, key=lambda n: n.index)


def _holds_tokens(read: Node, learned: list[Learned], filled: set[object]) -> bool:
    """Say whether the table of a read is filled with tokens, by then or (the sample may not reach that far) later."""
    if learned[read.index].cached or read.info.get("table") in filled:
        return True
    behind = [n for s in read.state for n in ancestors(s, into_state=True, cap=400)]
    return any(
        n.info.get("split") == "train" if n.kind is Kind.LOAD else n.info.get("table") in filled
        for n in behind
        if n.kind in (Kind.LOAD, Kind.CACHE_READ)
    )


def mixture_path(read: Node, blend: Node, analysis: Analysis) -> tuple[PathStep, ...]:
    """Describe a mixture: the write that filled the table, the look-up, the blend, the print."""
    writes = [n for s in read.state for n in ancestors(s, into_state=False, cap=400) if n.kind is Kind.CACHE_WRITE]
    return steps_of([*writes[:1], read, blend], analysis)
