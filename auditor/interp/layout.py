"""Layout methods of arrays: the same reshape for contents, positions and keys, or for the shape alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from auditor.interp.creation import as_shape
from auditor.interp.index import ALLOCATED, stand_in
from auditor.interp.machine import Machine
from auditor.interp.values import POSITION_CAP, VIEWED, Sym, shown


def lay_out(m: Machine, receiver: Sym, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sym:
    """Apply a layout method to everything that is known of a value."""
    if name in ("view_as", "reshape_as"):
        like = args[0].shape if args and isinstance(args[0], Sym) else None
        if like is None:
            return Sym(receiver.node, mark=receiver.mark, name=receiver.name)
        name, args = "reshape", like
    made = Sym(receiver.node, mark=receiver.mark, name=receiver.name)
    for field in ("pos", "val"):
        array = getattr(receiver, field)
        if array is not None:
            setattr(made, field, layout(array, name, args, kwargs))
    made.keys = tuple(k for k in (layout(key, name, args, kwargs) for key in receiver.keys) if k is not None)
    known = made.pos if made.pos is not None else made.val
    if known is not None:
        made.shape = known.shape
    elif receiver.shape is not None:
        made.shape = _layout_shape(receiver.shape, name, args, kwargs)
    if name in _SHOWING and receiver.name in ALLOCATED and receiver.pos is None:
        made.attrs = {VIEWED: shown(receiver)}
    return made


_SHOWING = frozenset(("reshape", "view", "flatten", "ravel"))
"""Methods whose result shows the elements of an allocated array: what is written there is written to it."""


def _layout_shape(
    shape: tuple[int, ...], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[int, ...] | None:
    if name in ("reshape", "view"):
        wanted = as_shape(args)
        total = math.prod(shape) if shape else 1
        if wanted is None:
            return None
        if -1 in wanted:
            rest = math.prod(n for n in wanted if n != -1) or 1
            return tuple(total // rest if n == -1 else n for n in wanted)
        return wanted
    dummy = stand_in(shape)
    if dummy is None:
        return None
    if name in ("flatten", "ravel", "repeat", "tile", "roll", "flip") and dummy.size > POSITION_CAP:
        return (dummy.size,) if name in ("flatten", "ravel") and not args else None
    made = layout(dummy, name, args, kwargs)
    return made.shape if made is not None else None


def layout(array: np.ndarray, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> np.ndarray | None:
    """Apply a layout method to a numpy array; None where its arguments are not known or do not fit."""
    plain = [int(a.val) if isinstance(a, Sym) and a.val is not None and a.val.size == 1 else a for a in args]
    axis = kwargs.get("dim", plain[0] if plain and isinstance(plain[0], int) else None)
    try:
        if name in ("reshape", "view"):
            shape = as_shape(tuple(plain))
            return None if shape is None else array.reshape(shape)
        if name in ("flatten", "ravel"):
            return array.reshape(-1) if not plain else array.reshape((*array.shape[: plain[0]], -1))
        if name == "squeeze":
            return (
                np.squeeze(array, axis)
                if isinstance(axis, int) and array.shape[axis] == 1
                else (array if isinstance(axis, int) else np.squeeze(array))
            )
        if name == "unsqueeze":
            position = axis if isinstance(axis, int) else 0
            return np.expand_dims(array, position)
        if name in ("transpose", "swapaxes") and len(plain) == 2:
            return np.swapaxes(array, plain[0], plain[1])
        if name in ("permute", "transpose"):
            order = as_shape(tuple(plain))
            return np.transpose(array, order) if order is not None else None
        if name == "t":
            return np.transpose(array)
        if name == "expand":
            shape = as_shape(tuple(plain))
            if shape is None:
                return None
            padded = (1,) * (len(shape) - array.ndim) + array.shape
            return np.broadcast_to(array, tuple(o if s == -1 else s for s, o in zip(shape, padded, strict=True)))
        if name == "narrow" and len(plain) == 3:
            return np.take(array, range(plain[1], plain[1] + plain[2]), axis=plain[0])
        if name == "flip":
            return np.flip(array)
        if name == "roll":
            return np.roll(array, plain[0] if plain else kwargs.get("shifts", 0))
        if name == "unfold" and len(plain) == 3 and plain[0] in (0, -1) and array.ndim == 1:
            return np.lib.stride_tricks.sliding_window_view(array, plain[1])[:: plain[2]]
    except (ValueError, TypeError, IndexError, AttributeError):
        return None
    return None
