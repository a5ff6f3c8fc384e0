"""The losses that make up the headline number, and what lies between them and the print."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.interp.graph import Kind, Node
from auditor.interp.region import Region

_FACTS = ("blend", "told", "skipped", "raw_piece", "native")
"""Entries of an event's `info` that say what it means for a score; the modules that make them describe them."""


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
    """Choices among losses."""
    others: tuple[Node, ...]
    """NATIVE and UNMODELLED nodes on the way."""
    told: tuple[Node, ...] = ()
    """Comparisons of targets with hints that had known them."""
    dropped: tuple[Node, ...] = ()
    """Losses that were only counted where their token has bytes in a side file."""
    pieces: tuple[Node, ...] = ()
    """Bytes of tokenizer pieces with the word-boundary mark still in them."""
    natives: tuple[Node, ...] = ()
    """Calls of native functions whose source was read."""


def compose(root: Node, cap: int = 60_000) -> Composition:
    """Walk from the printed value back to its losses; a REDUCE on the way narrows what is counted."""
    counted: dict[int, list[Region]] = {}
    inexact: set[int] = set()
    losses: dict[int, Node] = {}
    found: dict[Kind, dict[int, Node]] = {}
    facts: dict[str, dict[int, Node]] = {fact: {} for fact in _FACTS}
    seen: set[tuple[int, int]] = set()
    stack: list[tuple[Node, Node | None]] = [(root, None)]
    while stack and cap:
        node, narrowing = stack.pop()
        key = (node.index, narrowing.index if narrowing is not None else -1)
        if key in seen:
            continue
        seen.add(key)
        cap -= 1
        if node.kind is Kind.LOSS:
            if node.region or node.info.get("unplaced"):
                losses[node.index] = node
                whole = node.region or node.info["unplaced"]
                placed = narrowing is not None and bool(node.region)
                region = whole & narrowing.region if placed and narrowing is not None else whole
                counted.setdefault(node.index, []).append(region)
                if narrowing is None and not node.info.get("whole"):
                    inexact.add(node.index)
            if node.info.get("mixed") is None:
                continue
        if node.kind in (Kind.CACHE_READ, Kind.SELECT, Kind.NATIVE, Kind.UNMODELLED):
            found.setdefault(node.kind, {})[node.index] = node
        for fact in _FACTS:
            if fact in node.info:
                facts[fact][node.index] = node
        inner = node if node.kind is Kind.REDUCE and narrowing is None else narrowing
        stack.extend((parent, inner) for parent in node.parents)
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
        natives=_ordered(facts["native"]),
    )


def _ordered(nodes: dict[int, Node] | None) -> tuple[Node, ...]:
    return tuple(nodes[i] for i in sorted(nodes)) if nodes else ()
