"""Experts of a mixture that are laid side by side along an axis before they are weighted and summed."""

from __future__ import annotations

import numpy as np

from auditor.interp.machine import Machine
from auditor.interp.operators import blend
from auditor.interp.values import Mark, Sym


def stacked(m: Machine, joined: Sym, syms: list[Sym]) -> None:
    """Note a mixture where losses are stacked with other per-token values of their shape."""
    losses = [s for s in syms if s.mark & Mark.NLL and s.pos is not None and s.shape]
    if not losses or losses[0].pos is None:
        return
    # What is stacked has one shape.
    others = [s for s in syms if s not in losses and s.shape in (losses[0].shape, None)]
    looked_up = [s for s in others if s.mark & Mark.LOOKUP and s.shape is not None]
    blind = [s for s in others if s.pos is None and s.val is None and _of_any_token(s)]
    if looked_up or blind:
        blend(m, joined, losses[0].pos, blind=bool(blind))


def _of_any_token(value: Sym) -> bool:
    """Say whether a value says something of a distribution as a whole, such as its entropy."""
    if value.shape is None:
        return bool(value.mark & Mark.HIDDEN) and not value.mark & (Mark.LOGITS | Mark.NLL | Mark.LOOKUP | Mark.TOKENS)
    return bool(value.mark & (Mark.HIDDEN | Mark.LOGITS))


def side_by_side(m: Machine, joined: Sym, syms: list[Sym], axis: int) -> None:
    """Note a mixture where one loss per token is joined to looked-up values about the same tokens on a last axis."""
    losses = [s for s in syms if s.mark & Mark.NLL and s.pos is not None and s.pos.ndim > 1 and s.pos.shape[-1] == 1]
    if not losses or losses[0].pos is None or axis not in (-1, losses[0].pos.ndim - 1):
        return
    target = losses[0].pos
    if any(s.mark & Mark.LOOKUP and s not in losses and _about(s.pos, target) for s in syms):
        blend(m, joined, target[..., 0])


def _about(mine: np.ndarray | None, target: np.ndarray) -> bool:
    """Say whether each row is about the token in that row; values further along in the text are no experts on it."""
    if mine is None or mine.shape[:-1] != target.shape[:-1]:
        return False
    return bool((mine <= target).all()) and bool(((mine == mine.max(-1, keepdims=True)) | (mine < 0)).all())
