"""The provenance graph: one immutable node per thing that happened, in order of happening. It is the event trace.

Edges point to what a node was made from. `state` edges lead to what a prediction had been *learned* from (weights,
caches); `parents` to what it was computed from directly. Rules read this graph; nothing in it is ever changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from auditor.interp.region import EMPTY, Region
from auditor.model.source import Span


class Kind(str, Enum):
    """What happened. The names are the design's event vocabulary."""

    LOAD = "LOAD"
    OP = "OP"
    PARAM = "PARAM"
    FORWARD = "FORWARD"
    LOSS = "LOSS"
    BACKWARD = "BACKWARD"
    STEP = "STEP"
    PARAM_WRITE = "PARAM_WRITE"
    CACHE_READ = "CACHE_READ"
    CACHE_WRITE = "CACHE_WRITE"
    SELECT = "SELECT"
    CALIBRATE = "CALIBRATE"
    SERIALIZE = "SERIALIZE"
    REDUCE = "REDUCE"
    SCORE = "SCORE"
    RETURN = "RETURN"
    NET = "NET"
    DYNAMIC = "DYNAMIC"
    NATIVE = "NATIVE"
    NORMALISE = "NORMALISE"
    UNMODELLED = "UNMODELLED"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One event. Identity is the node itself; `index` is its place in time."""

    index: int
    kind: Kind
    span: Span
    function: str
    frames: tuple[int, ...]
    """Ids of the calls that were active, outermost first."""
    loops: tuple[tuple[int, int], ...] = ()
    """(loop id, iteration) pairs that were active, outermost first."""
    parents: tuple[Node, ...] = ()
    state: tuple[Node, ...] = ()
    region: Region = EMPTY
    """Validation positions that this node touches: read (LOAD), scored (LOSS), hashed (CACHE_READ, CACHE_WRITE)."""
    text: str = ""
    doubts: tuple[int, ...] = ()
    """Sides of undecided conditions on which this stands; another event that stands on the same is as doubtful."""
    info: dict[str, Any] = field(default_factory=dict)


def ancestors(
    root: Node, *, into_state: bool, stop: frozenset[Kind] = frozenset(), cap: int = 40_000
) -> Iterator[Node]:
    """Yield `root` and everything it was made from, newest first within reach; never goes below a `stop` kind."""
    seen: set[int] = set()
    stack = [root]
    while stack and cap:
        node = stack.pop()
        if node.index in seen:
            continue
        seen.add(node.index)
        cap -= 1
        yield node
        if node.kind in stop:
            continue
        stack.extend(node.parents)
        if into_state:
            stack.extend(node.state)
