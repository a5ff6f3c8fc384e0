"""Long runs of whole numbers: views of one shared line, so that moving one or indexing by it copies nothing.

Scripts that look up a whole stream at once do arithmetic on its indices for every order and every place of a context.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from typing import Any

import numpy as np

LONG = 65_536
"""Numbers from which on a run is held as a view."""
_BEFORE, _BEHIND = 2**17, 2**22 + 2**17
"""Ends of the line: the stand-in stream and what indices are moved by."""


@lru_cache(maxsize=1)
def _line() -> np.ndarray:
    line = np.arange(-_BEFORE, _BEHIND)
    line.flags.writeable = False
    return line


def run(start: int, stop: int) -> np.ndarray:
    """Return the whole numbers from start to stop; a long run is a view that nobody may write to."""
    if stop - start < LONG or start < -_BEFORE or stop > _BEHIND:
        return np.arange(start, stop)
    return _line()[start + _BEFORE : stop + _BEFORE]


def bounds(array: Any) -> tuple[int, int] | None:
    """Return start and stop of an array that is known to be a long run, else None."""
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.size < LONG or array.base is not _line():
        return None
    return (int(array[0]), int(array[-1]) + 1) if array.strides == array.base.strides else None


def moved(function: Any, contents: list[Any]) -> np.ndarray | None:
    """Return the sum or difference of a long run and a number as another run, None for anything else."""
    if len(contents) != 2 or function not in (operator.add, operator.sub) or type(contents[1]) is not int:
        return None
    known = bounds(contents[0])
    if known is None:
        return None
    by = contents[1] if function is operator.add else -contents[1]
    return run(known[0] + by, known[1] + by)
