"""Sums, means and extremes: known contents are computed, losses remember which positions they add up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from auditor.interp.choices import extreme
from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.operators import MASK, value_region
from auditor.interp.region import Region
from auditor.interp.scaled import summed_power
from auditor.interp.sorts import summed
from auditor.interp.values import Mark, Sym


def reduce_sym(m: Machine, value: Sym, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Model a reduction: known contents are computed, losses remember which positions they sum."""
    axis = kwargs.get("dim", kwargs.get("axis", args[0] if args else None))
    if (
        value.val is not None
        and value.pos is None
        and name in ("sum", "max", "min", "any", "all", "mean", "argmax", "prod")
    ):
        try:
            result = np.asarray(getattr(np, name)(value.val, axis=axis if isinstance(axis, (int, tuple)) else None))
            return Sym(None, val=result)
        except (ValueError, TypeError, IndexError):
            return m.unknown(value)
    shape: tuple[int, ...] | None = ()
    if isinstance(axis, int) and value.shape is not None and -len(value.shape) <= axis < len(value.shape):
        dims = list(value.shape)
        if kwargs.get("keepdim") is True or kwargs.get("keepdims") is True:
            dims[axis] = 1
        else:
            dims.pop(axis)
        shape = tuple(dims)
    elif axis is not None:
        shape = None
    mark = value.mark & ~(Mark.PARAM | Mark.TABLE | Mark.TOKENS | Mark.LOGITS | Mark.NORMAL)
    if value.name == MASK:
        mark &= ~Mark.NLL
    if axis is None or name == "norm":
        # The size of a gradient is no direction to go in.
        mark &= ~Mark.GRADIENT
    if value.mark & Mark.LOGITS and not value.mark & Mark.NLL:
        mark |= Mark.HIDDEN
    node = value.node
    kept = _over_experts(value, axis)
    if value.mark & Mark.NLL and value.pos is not None and node is not None and kept is None:
        node = summed_power(m, value, name, m.node(Kind.REDUCE, [node], region=Region.of(value.pos), text=name))
    if name in ("min", "amin", "max", "amax", "argmin", "argmax", "median") and value.mark & Mark.NLL:
        parts = [Sym(parent, mark=Mark.NLL) for parent in node.parents] if node is not None else []
        node = extreme(m, node, parts, name, value_region(value))
    made = Sym(node, shape=shape, mark=mark)
    if kept is not None:
        made.pos = kept.reshape(shape) if shape is not None and math.prod(shape) == kept.size else kept
        made.shape = made.pos.shape
    return summed(m, value, made) if name == "sum" else made


def _over_experts(value: Sym, axis: Any) -> np.ndarray | None:
    """Return the positions that are left where an axis holds several values about the same tokens, else None."""
    if value.pos is None or not isinstance(axis, int) or value.pos.ndim < 2 or not -value.pos.ndim <= axis:
        return None
    if axis >= value.pos.ndim:
        return None
    latest = value.pos.max(axis, keepdims=True)
    same = bool(((value.pos == latest) | (value.pos < 0)).all())
    return np.asarray(latest.squeeze(axis)) if same else None
