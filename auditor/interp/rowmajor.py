"""Row-major indices: tokens times a whole vocabulary, plus a token. Such a number stands for a row and a column and
mixes nothing; a hash is what a modulo, a mask or an exclusive or makes of it."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

from auditor.interp.values import Mark, Sym

SMALLEST_VOCABULARY = 1024
"""Least factor that keeps the sums of two tokens apart: the contest's smallest vocabulary and the stand-in's."""
_WIDENING = frozenset((ast.Mult, ast.LShift, ast.Pow))
_JOINING = frozenset((ast.Add, ast.BitOr))
LAID_OUT = Mark.SCALED | Mark.ROWS


def lay(made: Sym, operands: tuple[Any, ...], arithmetic: type[ast.AST] | None) -> None:
    """Mark what arithmetic on two operands makes of tokens: a multiple, a row-major index, or neither."""
    if len(operands) != 2 or made.pos is None:
        return
    left, right = operands
    if arithmetic in _WIDENING:
        _scale(made, left, right, shift=arithmetic is ast.LShift)
        if arithmetic is ast.Mult:
            _scale(made, right, left, shift=False)
    elif arithmetic in _JOINING:
        for row, column in ((left, right), (right, left)):
            if _is(row, Mark.SCALED) and _is(column, Mark.SCALED):
                made.mark |= Mark.SCALED
            elif _is(row, Mark.SCALED) and _token(column):
                _join(made, row, column)
            elif _is(row, Mark.ROWS) and _number(column) is not None:
                made.mark |= Mark.ROWS
    elif arithmetic is ast.Sub and _is(left, Mark.ROWS) and _number(right) is not None:
        made.mark |= Mark.ROWS


def parts(key: Sym) -> tuple[tuple[tuple[np.ndarray, ...], bool], ...]:
    """Return the parts of a key: the token positions in each, and whether it is a hash over several of them."""
    arrays = tuple(array for array in (key.pos, *key.keys) if array is not None)
    if key.mark & Mark.ROWS and key.keys:
        *row, column = arrays
        return (tuple(row), len(row) > 1), ((column,), False)
    return ((arrays, bool(key.keys) or bool(key.mark & Mark.MIXED)),)


def _scale(made: Sym, value: Any, factor: Any, *, shift: bool) -> None:
    if not _is(value, Mark.TOKENS) or _chooses(factor):
        return
    made.mark |= Mark.WIDE
    by = _number(factor)
    if by is None:
        # One number that is not known is a size: sums with a multiplier of a hash are always folded.
        room = isinstance(factor, Sym) and factor.val is None and factor.pos is None and not factor.shape
    else:
        room = by >= (math.log2(SMALLEST_VOCABULARY) if shift else SMALLEST_VOCABULARY)
    if room:
        made.mark |= Mark.SCALED


def _join(made: Sym, row: Sym, column: Sym) -> None:
    """Let the positions of the row come first and those of the column last."""
    assert made.pos is not None and row.pos is not None and column.pos is not None
    try:
        first, *others = [np.broadcast_to(a, made.pos.shape) for a in (row.pos, *row.keys, column.pos)]
    except ValueError:
        return
    made.pos, made.keys = first, tuple(others)
    made.mark |= Mark.ROWS


def _is(value: Any, mark: int) -> bool:
    return isinstance(value, Sym) and bool(value.mark & mark) and value.pos is not None


def _token(value: Any) -> bool:
    """Say whether a value holds single tokens, none of them enlarged."""
    return _is(value, Mark.TOKENS) and not (value.keys or value.mark & (Mark.MIXED | Mark.WIDE | LAID_OUT))


def _chooses(value: Any) -> bool:
    """Say whether a factor leaves a token or makes it nothing."""
    from auditor.interp.operators import MASK

    return isinstance(value, Sym) and (value.name == MASK or (value.val is not None and value.val.dtype == bool))


def _number(value: Any) -> int | float | None:
    if isinstance(value, Sym) and value.val is not None and value.val.size == 1 and value.pos is None:
        value = value.val.reshape(-1)[0].item()
    return value if isinstance(value, (int, float)) else None
