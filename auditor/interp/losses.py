"""Where a token's loss comes into being. Every LOSS node knows its targets and what its prediction was made from."""

from __future__ import annotations

from typing import Any

import numpy as np

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.machine import Machine
from auditor.interp.region import EMPTY, Region
from auditor.interp.values import Mark, Sym


def make_loss(m: Machine, prediction: Any, target: Any, reduction: str = "mean", *, via: str = "") -> Sym:
    """Create the loss of `target` under `prediction`; `reduction` is torch's none, mean or sum."""
    pos = target.pos if isinstance(target, Sym) else None
    train = isinstance(target, Sym) and bool(target.mark & Mark.TRAIN)
    region = Region.of(pos) if pos is not None else EMPTY
    parents = [m.merge(prediction)]
    unplaced = EMPTY
    if pos is None and isinstance(target, Sym) and not train and target.node is not None:
        held = [n.region for n in ancestors(target.node, into_state=False, cap=400) if n.kind is Kind.LOAD]
        unplaced = Region.union(held)
    node = m.node(
        Kind.LOSS,
        parents,
        region=region,
        text=via,
        train=train,
        unplaced=unplaced,
        whole=reduction != "none",
        learnable=m.grad_off == 0,
        target=target.node if isinstance(target, Sym) else None,
    )
    mark = Mark.NLL | (Mark.TRAIN if train else Mark.NONE)
    if reduction == "none" and isinstance(target, Sym):
        return Sym(node, shape=target.shape, pos=pos, mark=mark)
    return Sym(node, shape=(), mark=mark)


def part_of(m: Machine, value: Sym) -> Node | None:
    """Return what stands for a loss that is stored or joined: where it is a part of what it was cut from, that part."""
    node = value.node
    if node is None or value.pos is None or not value.mark & Mark.NLL or node.kind not in (Kind.LOSS, Kind.OP):
        return node
    kept = Region.of(value.pos)
    if node.kind is Kind.LOSS and kept.count >= node.region.count:
        return node
    return m.node(Kind.REDUCE, [node], region=kept, text="part")


def gather_loss(m: Machine, prediction: Sym, target: Sym) -> Sym:
    """Create the per-token loss that indexing a distribution by its target amounts to."""
    made = make_loss(m, prediction, target, "none", via="gather")
    made.mark |= prediction.mark & Mark.NORMAL
    return made


def cross_entropy(m: Machine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sym:
    """Model F.cross_entropy(input, target, weight, size_average, ignore_index, reduce, reduction)."""
    prediction = args[0] if args else kwargs.get("input")
    target = args[1] if len(args) > 1 else kwargs.get("target")
    reduction = kwargs.get("reduction", args[6] if len(args) > 6 else "mean")
    if isinstance(target, Sym) and target.mark & (Mark.LOGITS | Mark.HIDDEN) and isinstance(prediction, Sym):
        return Sym(m.merge(prediction, target), shape=(), mark=Mark.NLL & Mark.NONE)
    return make_loss(m, prediction, target, reduction if isinstance(reduction, str) else "mean", via="cross_entropy")


def shifted(x: Sym, y: Sym) -> bool:
    """Say whether `y` holds the next token of each element of `x`."""
    if x.pos is None or y.pos is None or x.pos.shape != y.pos.shape or x.pos.size == 0:
        return False
    a, b = x.pos.reshape(-1)[:4096], y.pos.reshape(-1)[:4096]
    known = (a >= 0) & (b >= 0)
    return bool(known.any()) and bool((b[known] == a[known] + 1).mean() > 0.5)


def is_target_of(x: Any, y: Any) -> bool:
    """Say whether `y` may be the targets of inputs `x`: shifted by one, or token ids of the same kind and shape."""
    if not (isinstance(x, Sym) and isinstance(y, Sym) and x.mark & Mark.TOKENS and y.mark & Mark.TOKENS):
        return False
    if x.pos is not None and y.pos is not None:
        return shifted(x, y)
    return y.pos is not None or x.node is not y.node or (x.shape == y.shape and x is not y)


def positions_like(x: Sym) -> np.ndarray | None:
    """Return the positions of the tokens that follow `x`."""
    return None if x.pos is None else np.where(x.pos >= 0, x.pos + 1, -1)
