"""Losses that a byte count decides to leave out: a loop that goes on to the next token where a token has no bytes.

Only counts from a side file are meant: there tokens without bytes carry text (case operators). In a table made from the
tokenizer only control tokens have none, and a scorer that skips those leaves no text out.
"""

from __future__ import annotations

from typing import Any

from auditor.interp.graph import Kind
from auditor.interp.machine import ContinueSignal, Machine
from auditor.interp.values import Mark, Sym


def skipping(m: Machine, test: Any, left: Exception | None, right: Exception | None) -> None:
    """Note that one side of an undecided condition on bytes left the iteration and the other went on."""
    loops = m.frame.loops
    leaves = isinstance(left, ContinueSignal) != isinstance(right, ContinueSignal)
    if loops and leaves and isinstance(test, Sym) and test.mark & Mark.BYTES:
        loops[-1].skipped = m.span


def counted(m: Machine, value: Any) -> Any:
    """Return a loss that is added up or listed: marked where its iteration was only reached by what has bytes."""
    loops = m.frame.loops if m.frames else []
    if not loops or loops[-1].skipped is None or not isinstance(value, Sym) or not value.mark & Mark.NLL:
        return value
    made = Sym(m.node(Kind.OP, [value.node], text="kept by its bytes", skipped=loops[-1].skipped), shape=value.shape)
    made.pos, made.keys, made.mark, made.name = value.pos, value.keys, value.mark, value.name
    return made
