"""Decisions over validation losses: parts of weights written in a branch of one are kept or undone by what it was.

A choice among whole states (the averaged or the last weights, the best checkpoint) is not meant here. The values that
such a branch leaves behind carry the losses that were compared, as a parent like any other. Whether that makes weights
fitted is settled when the graph is complete: a loop that trains validates itself all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.machine import Machine
from auditor.interp.values import Mark, Sym

REACH = 400
"""Events looked through between a condition and the losses that it compares."""


@contextmanager
def branching_on(m: Machine, test: Any) -> Iterator[None]:
    """Run both branches of an undecided condition; remember the condition where it compares validation losses."""
    node = test.node if isinstance(test, Sym) else None
    if node is None or not any(frame.loops for frame in m.frames) or not _compares_losses(node):
        yield
        return
    m.controls.append(Sym(m.node(Kind.SELECT, [node], text="keep or undo", keeps=True)))
    try:
        yield
    finally:
        m.controls.pop()


def _compares_losses(node: Node) -> bool:
    return any(
        n.kind is Kind.LOSS and n.region and not n.info.get("train")
        for n in ancestors(node, into_state=False, cap=REACH)
    )


_WHOLE = Mark.NLL | Mark.TOKENS | Mark.STATE
"""What is not a part of weights: losses and tokens, and whole states, a choice among which no ruling speaks of."""


def kept(m: Machine, value: Any) -> Any:
    """Return a value as a branch leaves it behind in a container: it depends on the condition."""
    if m.controls and isinstance(value, Sym) and value.node is not None and not value.mark & _WHOLE:
        made = Sym(m.merge(value, *m.controls), shape=value.shape, val=value.val, pos=value.pos, keys=value.keys)
        made.mark, made.name, made.attrs = value.mark, value.name, value.attrs
        return made
    return value
