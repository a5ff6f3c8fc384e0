"""The shape of what is computed element by element."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from auditor.interp.values import Sym


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
    if not unknown:
        return _broadcast_shapes(tuple(shapes)) if shapes else ()
    together = _broadcast_shapes(tuple(shapes)) if placed else None
    return together if together in shapes else None


@lru_cache(maxsize=4096)
def _broadcast_shapes(shapes: tuple[tuple[int, ...], ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None
