"""Learning that is written out by hand: gradients as arithmetic, and parameters that descend on them directly.

Only parameters outside every module are meant. Weights that are changed in place are parameter writes as it is, and an
optimiser's own buffers are none of its parameters.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.losses import make_loss
from auditor.interp.machine import Machine
from auditor.interp.values import Mark, Sym

ONE_HOT = "one hot"
"""Attribute of an array of zeros with a one at the entry of each token: those tokens."""
REACH = 60
"""Events looked through between a gradient and its backward pass: scaling, clipping, a mean."""


def one_hot(made: Sym, target: Any) -> Sym:
    """Note on an array that it is the one-hot rows of these tokens."""
    if isinstance(target, Sym) and target.mark & Mark.TOKENS:
        made.attrs = {**(made.attrs or {}), ONE_HOT: target}
    return made


def gradient_of(learner: Any, made: Sym) -> Sym:
    """Mark a gradient as one of a loose parameter where it is."""
    if isinstance(learner, Sym) and not learner.mark & Mark.OWNED:
        made.mark |= Mark.GRADIENT
    return made


def per_row(learner: Sym) -> bool:
    """Say whether a parameter has a value for each row of a batch: rows learn nothing from one another through it."""
    shape = learner.shape
    return shape is not None and len(shape) == 3 and shape[0] > 1 and shape[1] == 1


def vector(learner: Sym) -> bool:
    """Say whether a parameter is one row of numbers that every window shares, as a bias on the logits is."""
    return learner.shape is not None and len(learner.shape) == 1


def by_hand(m: Machine, made: Sym, syms: Sequence[Sym], arithmetic: type[ast.AST] | None, function: Any) -> None:
    """Put the event behind arithmetic that makes a gradient or descends on one."""
    if len(syms) != 2:
        return
    if made.mark & Mark.GRADIENT:
        if arithmetic in (ast.Add, ast.Sub) or function in (np.add, np.subtract):
            learning = [sym for sym in syms if not sym.mark & Mark.GRADIENT and sym.shape != ()]
            if len(learning) == 1:
                descend(m, made, learning[0], [sym for sym in syms if sym.mark & Mark.GRADIENT])
        return
    for shares, hot in (syms, syms[::-1]):
        target = (hot.attrs or {}).get(ONE_HOT)
        if target is not None and shares.mark & Mark.NORMAL:
            # What cross entropy hands back to its logits.
            loss = make_loss(m, shares, target, via="softmax minus one-hot")
            made.node, made.mark, made.pos, made.keys = m.node(Kind.BACKWARD, [loss.node]), Mark.GRADIENT, None, ()
            return


def descend(m: Machine, made: Sym, learner: Sym, gradients: Sequence[Any]) -> None:
    """Record that a loose parameter learned: `made` is what it is afterwards."""
    passes = _passes(gradients)
    if not passes:
        return
    made.node = m.node(
        Kind.STEP,
        [*passes, learner.node, *[g.node for g in gradients if isinstance(g, Sym)]],
        count=1,
        loose=True,
        rows=per_row(learner),
        vector=vector(learner),
    )
    made.mark &= ~Mark.GRADIENT
    made.shape = learner.shape if made.shape is None else made.shape


def _passes(gradients: Sequence[Any]) -> list[Node]:
    stop = frozenset((Kind.BACKWARD, Kind.STEP))
    roots = [g.node for g in gradients if isinstance(g, Sym) and g.node is not None]
    return [n for root in roots for n in ancestors(root, into_state=False, stop=stop, cap=REACH) if n.kind in stop][:8]
