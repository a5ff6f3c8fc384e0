"""Overwriting: a tensor that is filled, drawn anew or copied into forgets what it had learned.

What is overwritten on one side of an undecided condition may not have been: after both sides it may still hold what it
held before them. Where the condition hangs on a setting that is not known, that it still does is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from auditor.interp.creation import filled
from auditor.interp.doubt import doubted
from auditor.interp.graph import Kind, Node
from auditor.interp.machine import Machine
from auditor.interp.values import Mark, Sym

REACH = 2_000
"""Events looked through between what a tensor holds and what it held before a branch."""


class Side:
    """One side of an undecided condition: the parameters that it overwrites, and what they held before it."""

    __slots__ = ("doubts", "entry", "held")

    def __init__(self, entry: int, doubts: tuple[int, ...]) -> None:
        self.entry, self.doubts = entry, doubts
        self.held: dict[int, tuple[Sym, Node | None]] = {}


@contextmanager
def side(m: Machine) -> Iterator[Side]:
    """Follow one side of an undecided condition and remember what it overwrites."""
    made = Side(len(m.nodes), m.doubts)
    m.sides.append(made)
    try:
        yield made
    finally:
        m.sides.pop()


def reset(m: Machine, tensor: Sym, source: Any = None) -> Sym:
    """Overwrite a tensor: what it had learned is gone, what it now holds comes from the source."""
    overwritten(m, tensor)
    tensor.node = m.merge(source) if isinstance(source, Sym) else None
    if isinstance(source, Sym):
        tensor.pos = source.pos if source.pos is not None and source.shape == tensor.shape else None
        tensor.val = source.val if source.shape == tensor.shape else None
        tensor.mark |= source.mark & (Mark.TOKENS | Mark.TRAIN | Mark.NLL)
    elif tensor.val is not None:
        tensor.val = filled(tensor.val.shape, source if isinstance(source, (int, float)) else 0)
    if tensor.mark & Mark.PARAM and tensor.node is None:
        tensor.node = m.node(Kind.PARAM, text="reset")
        # A loop that only forgets has to reach the last parameter; it is sampled where something happens to data.
        m.quiet += 1
    return tensor


def overwritten(m: Machine, tensor: Sym) -> None:
    """Note, right before a parameter is overwritten, what it held before the branch that is being followed."""
    if not m.sides or not tensor.mark & Mark.PARAM or id(tensor) in m.sides[-1].held:
        return
    current, events = m.sides[-1], len(m.nodes)
    before = m.merge(*[Sym(node) for node in _before(tensor.node, current.entry)])
    if before is not None and m.doubts != current.doubts:
        with doubted(m, (m.ident(),)):
            before = m.node(Kind.OP, [before], text="not overwritten", unsure=True)
    m.quiet += len(m.nodes) - events
    current.held[id(tensor)] = (tensor, before)


def _before(node: Node | None, entry: int) -> list[Node]:
    """Return the events from before a branch that stand behind what a tensor came to hold in it."""
    found: dict[int, Node] = {}
    seen: set[int] = set()
    stack = [node] if node is not None else []
    while stack and len(seen) < REACH:
        item = stack.pop()
        if item.index in seen:
            continue
        seen.add(item.index)
        if item.index < entry:
            found[item.index] = item
        elif item.kind is not Kind.BACKWARD:
            stack.extend(item.parents)
    return list(found.values())


def after_first(first: Side) -> dict[int, Node | None]:
    """Put parameters that one side overwrote back for the other, and return what the one side left."""
    left = {key: tensor.node for key, (tensor, _) in first.held.items()}
    for tensor, before in first.held.values():
        tensor.node = before
    return left


def rejoin(m: Machine, left: dict[int, Node | None], first: Side, second: Side) -> None:
    """Let every parameter that a side overwrote hold what either side leaves."""
    for key, (tensor, _) in first.held.items():
        tensor.node = m.merge(tensor, Sym(left[key]))
    for key, (tensor, before) in second.held.items():
        if key not in first.held:
            tensor.node = m.merge(tensor, Sym(before))
