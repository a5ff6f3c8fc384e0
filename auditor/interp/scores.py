"""The losses that make up the headline number, and what lies between them and the print."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.interp.graph import Kind, Node
from auditor.interp.region import Region

_FACTS = ("blend", "told", "skipped", "raw_piece", "sizes", "struck", "scaled", "native")
"""Entries of an event's `info` that say what it means for a score; the modules that make them describe them."""

_FOUND = frozenset([Kind.CACHE_READ, Kind.SELECT, Kind.NATIVE, Kind.UNMODELLED])

WHOLE = -1
"""Number of the narrowing that leaves a loss whole."""


@dataclass(frozen=True, slots=True)
class Score:
    """One loss whose value reaches the number, with the positions of it that are counted."""

    loss: Node
    counted: Region
    exact: bool = True
    """False where it is not known which of the loss's positions are counted (context of a window may be in it)."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Everything on the direct way from the losses to the number."""

    scores: tuple[Score, ...]
    blends: tuple[Node, ...]
    """Mixtures of losses with looked-up values."""
    reads: tuple[Node, ...]
    """Cache reads that flow into the number."""
    selects: tuple[Node, ...]
    """Choices among losses, but for those that went into the weights of a mixture."""
    others: tuple[Node, ...]
    """NATIVE and UNMODELLED nodes on the way."""
    told: tuple[Node, ...] = ()
    """Comparisons of targets with hints that had known them."""
    dropped: tuple[Node, ...] = ()
    """Losses that were only counted where their token has bytes in a side file."""
    pieces: tuple[Node, ...] = ()
    """Bytes of tokenizer pieces with the word-boundary mark still in them."""
    scaled: tuple[Node, ...] = ()
    """Sums of losses that had been multiplied with a number below one."""
    struck: tuple[Node, ...] = ()
    """Losses, or other values, that count only where their target is not found in a list."""
    sizes: tuple[Node, ...] = ()
    """Sums of bytes that count more for a sort of piece than the text has."""
    natives: tuple[Node, ...] = ()
    """Calls of native functions whose source was read."""


def compose(root: Node, cap: int = 60_000) -> Composition:
    """Walk from the printed value back to its losses; every REDUCE on the way narrows what is counted."""
    counted: dict[int, list[Region]] = {}
    inexact: set[int] = set()
    losses: dict[int, Node] = {}
    found: dict[Kind, dict[int, Node]] = {}
    facts: dict[str, dict[int, Node]] = {fact: {} for fact in _FACTS}
    seen: set[tuple[int, int, bool]] = set()
    narrowed = _Narrowings()
    stack: list[tuple[Node, int, bool]] = [(root, WHOLE, False)]
    while stack and cap:
        node, narrowing, weight = stack.pop()
        if (node.index, narrowing, weight) in seen or (node.index, narrowing, False) in seen:
            continue
        seen.add((node.index, narrowing, weight))
        cap -= 1
        if node.kind is Kind.LOSS:
            if node.region or node.info.get("unplaced"):
                losses[node.index] = node
                whole = node.region or node.info["unplaced"]
                placed = narrowing != WHOLE and bool(node.region)
                counted.setdefault(node.index, []).append(whole & narrowed.regions[narrowing] if placed else whole)
                if narrowing == WHOLE and not node.info.get("whole"):
                    inexact.add(node.index)
            if node.info.get("mixed") is None:
                continue
        weight = weight or bool(node.info.get("weights"))
        if node.kind in _FOUND and not (weight and node.kind is Kind.SELECT):
            found.setdefault(node.kind, {})[node.index] = node
        for fact in _FACTS:
            if fact in node.info:
                facts[fact][node.index] = node
        inner = narrowed.by(node, narrowing) if node.kind is Kind.REDUCE else narrowing
        stack.extend((parent, inner, weight) for parent in node.parents)
    scores = tuple(Score(losses[i], Region.union(counted[i]), i not in inexact) for i in sorted(losses))
    return Composition(
        scores=tuple(score for score in scores if score.counted),
        blends=_ordered(facts["blend"]),
        reads=_ordered(found.get(Kind.CACHE_READ)),
        selects=_ordered(found.get(Kind.SELECT)),
        others=_ordered({**found.get(Kind.NATIVE, {}), **found.get(Kind.UNMODELLED, {})}),
        told=_ordered(facts["told"]),
        dropped=_ordered(facts["skipped"]),
        pieces=_ordered(facts["raw_piece"]),
        sizes=_ordered(facts["sizes"]),
        struck=_ordered(facts["struck"]),
        scaled=_ordered(facts["scaled"]),
        natives=_ordered(facts["native"]),
    )


class _Narrowings:
    """What is left of a loss after the sums and parts on the way to it, each set of positions under one number."""

    def __init__(self) -> None:
        self.regions: list[Region] = []
        self._made: dict[tuple[int, int], int] = {}

    def by(self, node: Node, narrowing: int) -> int:
        """Return the number of a narrowing that a sum or part narrows further."""
        if narrowing != WHOLE and not node.region:
            return narrowing
        key = (narrowing, node.index)
        if key not in self._made:
            region = node.region if narrowing == WHOLE else self.regions[narrowing] & node.region
            same = narrowing != WHOLE and region.spans == self.regions[narrowing].spans
            self._made[key] = narrowing if same else len(self.regions)
            if not same:
                self.regions.append(region)
        return self._made[key]


def _ordered(nodes: dict[int, Node] | None) -> tuple[Node, ...]:
    return tuple(nodes[i] for i in sorted(nodes)) if nodes else ()
