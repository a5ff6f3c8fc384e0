"""Indices that an undecided condition may strike off by a negative number: any of them may still stand.

Only whole numbers beside a negative one are read this way. A choice between other numbers changes what is computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auditor.interp.creation import CONTENT_CAP, size_of
from auditor.interp.values import Sym


def standing(values: Any, sentinel: Any) -> np.ndarray | None:
    """Return the indices of which some may be struck off, None where this is no such choice."""
    if not isinstance(values, Sym) or values.val is None or values.pos is not None or values.val.ndim != 1:
        return None
    mark = sentinel.val if isinstance(sentinel, Sym) and sentinel.pos is None else sentinel
    if isinstance(mark, np.ndarray):
        mark = mark.item() if mark.size == 1 else None
    negative = isinstance(mark, int) and not isinstance(mark, bool) and mark < 0
    return values.val if negative and values.val.dtype.kind in "iu" else None


def chosen(made: Sym, known: np.ndarray | None, a: Sym, b: Sym) -> None:
    """Give the result of a choice its numbers: under a known condition, or where only indices may be struck off."""
    if known is not None and a.val is not None and b.val is not None:
        try:
            small = made.shape is not None and size_of(made.shape) <= CONTENT_CAP
            made.val = np.where(known.astype(bool), a.val, b.val) if small else None
        except ValueError:
            return
    elif known is None:
        left = standing(a, b)
        left = standing(b, a) if left is None else left
        made.val = left if left is not None and left.shape == made.shape else None
