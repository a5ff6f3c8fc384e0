"""What the token at a place decided: values that are written in one branch of a condition on it know that token.

A loop over tokens is sampled, so one iteration speaks for all: where element `i` of an array was decided by the token
at position `p`, every element `j` was by the token at `p + (j - i)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.region import Region
from auditor.interp.values import POSITION_CAP, Mark, Sym

SAME_SHARE = 0.3
"""Share of elements at which two position arrays agree when one is the other (masks and window starts differ)."""
_OWN = Mark.TOKENS | Mark.NLL | Mark.LOGITS | Mark.TABLE
"""Arrays whose positions say what they hold, not what decided it."""


def place(value: Any) -> int | None:
    """Return the latest position among the tokens that a scalar was made of, None where it was made of none."""
    if not isinstance(value, Sym) or value.pos is None or value.pos.size != 1:
        return None
    latest = max(int(array.reshape(-1)[0]) for array in (value.pos, *value.keys) if array.size == 1)
    return latest if latest >= 0 else None


def truth_of(m: Machine, *values: Any) -> Sym:
    """Return an unknown truth value that was made of these; it keeps the latest token that a scalar among them knew."""
    known = [at for value in values if (at := place(value)) is not None]
    made = Sym(m.merge(*values), shape=(), name="scalar")
    if known:
        made.pos = np.asarray(max(known), dtype=np.int32)
    return made


@contextmanager
def deciding(m: Machine, test: Any) -> Iterator[None]:
    """Run both branches of an undecided condition; what they write was decided by the token that it looks at."""
    at = place(test)
    if at is None:
        yield
        return
    m.deciding.append(at)
    try:
        yield
    finally:
        m.deciding.pop()


def decided(m: Machine, value: Any, test: Any) -> Any:
    """Return what an undecided choice leaves: it knows the token that the condition looked at."""
    at = place(test)
    if at is None or (isinstance(value, Sym) and value.mark & _OWN):
        return value
    source = value if isinstance(value, Sym) else Sym(shape=())
    made = Sym(m.merge(source, test), shape=source.shape, mark=source.mark | Mark.TOLD, name=source.name)
    told = np.full(source.shape or (), at, dtype=np.int32)
    made.pos, made.keys = (told, ()) if source.pos is None else (source.pos, (*source.keys, told))
    return made


def stored(m: Machine, container: Sym, index: tuple[Any, ...], value: Any) -> None:
    """Note that an element of an array was decided by a token, beside what is stored."""
    at = max(m.deciding, default=-1)
    if isinstance(value, Sym) and value.mark & Mark.TOLD:
        own = place(value)
        at = max(at, own if own is not None else -1)
    shape = container.shape
    fits = at >= 0 and len(index) == 1 and isinstance(index[0], (int, np.integer)) and shape is not None
    if not fits or shape is None or len(shape) != 1 or not 1 < shape[0] <= POSITION_CAP or container.mark & _OWN:
        return
    told = np.arange(shape[0], dtype=np.int32) + np.int32(at - int(index[0]) % shape[0])
    if container.pos is None:
        container.pos = told
    elif container.mark & Mark.TOLD and container.keys:
        container.keys = (*container.keys[:-1], np.maximum(container.keys[-1], told))
    else:
        container.keys = (*container.keys, told)
    container.mark |= Mark.TOLD
    container.val = None


def latest(value: Sym) -> np.ndarray | None:
    """Return the latest position that each element was made of or decided by."""
    if value.pos is None:
        return None
    found = value.pos
    for key in value.keys:
        if key.shape == found.shape:
            found = np.maximum(found, key)
    return found


def hit(m: Machine, made: Sym, left: Any, right: Any) -> None:
    """Put an event behind a comparison of targets with hints that knew them when they were made."""
    for target, hint in ((left, right), (right, left)):
        if not (isinstance(target, Sym) and isinstance(hint, Sym) and hint.mark & Mark.TOLD):
            continue
        wanted, told = target.pos, latest(hint)
        if not target.mark & Mark.TOKENS or target.mark & Mark.TOLD or wanted is None or told is None:
            continue
        if wanted.size == told.size and wanted.size and hint.node is not None:
            knew = (told.reshape(-1) >= wanted.reshape(-1)) & (wanted.reshape(-1) >= 0)
            if knew.mean() > SAME_SHARE:
                made.node = m.node(Kind.OP, [made.node], text="told hint", told=hint.node, region=Region.of(wanted))
