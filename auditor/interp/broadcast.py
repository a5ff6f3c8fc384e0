"""The shape of what is computed element by element."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from auditor.interp.values import Mark, Sym


def broadcast(operands: tuple[Any, ...]) -> tuple[int, ...] | None:
    """Return the shape of the result; an operand of unknown shape is taken to fit one that has positions."""
    shapes, placed, unknown = [], False, False
    for value in operands:
        if isinstance(value, Sym):
            if value.shape is None:
                unknown = True
                continue
            shapes.append(value.shape)
            placed = placed or (value.pos is not None and bool(value.shape))
    if not any(shapes) and not unknown:
        return ()
    if not unknown:
        return _broadcast_shapes(tuple(shapes)) or _beside_output(operands, shapes)
    together = _broadcast_shapes(tuple(shapes)) if placed else None
    return together if together in shapes else None


def _beside_output(operands: tuple[Any, ...], shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the shape of a network's output and something of another width: that of the output is a stand-in."""
    for value in operands:
        if isinstance(value, Sym) and value.shape and value.mark & (Mark.HIDDEN | Mark.LOGITS):
            leading = _broadcast_shapes(tuple(shape[:-1] for shape in shapes))
            return None if leading is None else (*leading, value.shape[-1])
    return None


@lru_cache(maxsize=4096)
def _broadcast_shapes(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None
