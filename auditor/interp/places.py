"""Values inside a network: which axis of a tensor is time, and how far beyond its own place each entry reaches.

What is tracked is what *must* hold: a reach of 2 says that entry i was made from entry i + 2 of the tokens, among
others. Whatever is not known (an unmodelled function, a mask, a condition) takes reach away and never adds any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditor.interp.graph import Kind
from auditor.interp.values import Mark, Sym
from auditor.model.source import Span

PLAIN, TIME, KEY, FLAT = "", "t", "k", "f"
"""What an axis is: nothing to do with time, time, the places that are attended to, batch and time in one."""
MADE_WITH = "made with"
"""Attribute of a library layer: the arguments that it was made with."""
NEVER = -(10**9)
"""Reach of what no token went into."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a tensor; `size` None where it is not known."""

    size: int | None
    time: str = PLAIN


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a value came to reach beyond its own place."""

    span: Span
    function: str
    words: str


class Flow(Sym):
    """A tensor that tokens went into. Everything else in a network stays an ordinary value."""

    __slots__ = ("axes", "closed", "groups", "leak", "loss", "reach", "seen", "tokens")

    def __init__(self, axes: Sequence[Axis], reach: int, seen: Seen | None = None, *, closed: bool = False) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.reach = reach
        """The farthest place, counted from an entry's own, that certainly went into it."""
        self.seen = seen
        self.closed = closed
        """True where a mask or condition may have taken places out, so that a sum over them may know only some."""
        self.tokens = False
        """Token ids as they stand in the stream: the reach is exact."""
        self.loss = False
        self.leak: Seen | None = None
        """Where the prediction behind a loss came to know its own target."""
        self.groups: Flow | None = None
        """What the entries along the first time axis were added up by, where it is no longer time."""
        self._sized()

    def _sized(self) -> None:
        sizes = [axis.size for axis in self.axes]
        self.shape = None if None in sizes else tuple(size for size in sizes if size is not None)

    def made(self, axes: Sequence[Axis] | None = None, reach: int | None = None, seen: Seen | None = None) -> Flow:
        """Return a copy with other axes or another reach."""
        copy = Flow(
            self.axes if axes is None else axes,
            self.reach if reach is None else reach,
            self.seen if seen is None else seen,
            closed=self.closed,
        )
        copy.tokens, copy.loss, copy.leak, copy.groups = self.tokens, self.loss, self.leak, self.groups
        return copy

    def hidden(self) -> Flow:
        """Return a copy that claims no reach ahead: some of its places may be gone, or be those of another window."""
        made = self.made(reach=min(self.reach, 0))
        made.closed, made.tokens = True, False
        return made

    def become(self, other: Flow) -> None:
        """Take over another value's content, as an in-place operation does."""
        self.axes, self.reach, self.seen, self.closed = other.axes, other.reach, other.seen, other.closed
        self.tokens, self.loss, self.leak, self.groups = other.tokens, other.loss, other.leak, other.groups
        self._sized()

    def at(self, *kinds: str) -> list[int]:
        """Return the places of the axes of these kinds."""
        return [i for i, axis in enumerate(self.axes) if axis.time in kinds]


def flows_in(values: Any) -> list[Flow]:
    """Return the flows among values, in order."""
    return [value for value in values if isinstance(value, Flow)]


def is_weight(value: Sym) -> bool:
    """Say whether a value is a parameter, or one under another type or device."""
    learned = value.node is not None and value.node.kind in (Kind.PARAM, Kind.STEP, Kind.PARAM_WRITE)
    return bool(value.mark & Mark.PARAM) or learned


def may_mask(value: Any, flow: Flow) -> bool:
    """Say whether a factor may be zero at some places and not at others."""
    if isinstance(value, Flow):
        return value.closed or value.reach == NEVER
    if not isinstance(value, Sym) or (is_weight(value) and value.shape is None):
        return False
    times = {flow.axes[i].size for i in flow.at(TIME, KEY, FLAT)}
    return value.shape is None or any(size in times for size in value.shape)


def is_zero(value: Any) -> bool:
    """Say whether a factor is known to be zero: a setting that switches a path off."""
    if isinstance(value, Sym):
        return value.val is not None and not value.val.any()
    return isinstance(value, (int, float)) and value == 0


def broadcast(first: tuple[Axis, ...], second: tuple[Axis, ...]) -> tuple[Axis, ...] | None:
    """Return the axes of an elementwise result, None where they do not fit or it is not known that they do."""
    long, short = (first, second) if len(first) >= len(second) else (second, first)
    head = len(long) - len(short)
    joined = [_joined(a, b) for a, b in zip(long[head:], short, strict=True)]
    return None if None in joined else (*long[:head], *[axis for axis in joined if axis is not None])


def _joined(a: Axis, b: Axis) -> Axis | None:
    if a.size == 1 and not a.time:
        return b
    if b.size == 1 and not b.time:
        return a
    if a.time == b.time:
        if a.size == b.size:
            return a
        if a.time:
            return a if b.size == 1 else b if a.size == 1 else None
        return Axis(None) if a.size is None or b.size is None else None
    if PLAIN not in (a.time, b.time):
        return None
    timed, other = (a, b) if a.time else (b, a)
    return timed if other.size == timed.size else None


def joined(first: Flow, second: Any) -> Flow | None:
    """Return what is known of a value that is either of two; None where nothing is."""
    if second is None:
        made = first.hidden()
        made.leak = None
        return made
    if not isinstance(second, Flow) or first.axes != second.axes:
        return None
    less = min(first, second, key=lambda flow: flow.reach)
    made = less.made()
    made.closed = first.closed or second.closed
    made.tokens = first.tokens and second.tokens and first.reach == second.reach
    made.loss, made.leak = first.loss or second.loss, first.leak if second.leak is not None else None
    made.groups = first.groups if first.groups is second.groups else None
    return made
