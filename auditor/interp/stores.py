"""Writing to items of containers and arrays: positions move with what is stored, token keys make it a cache."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from auditor.interp import sorts
from auditor.interp.choices import among, choice, rivals
from auditor.interp.creation import CONTENT_CAP
from auditor.interp.graph import Kind
from auditor.interp.index import ALLOCATED, MAYBE, as_slice, parts_of, plain_parts, token_key
from auditor.interp.keep import kept
from auditor.interp.losses import part_of
from auditor.interp.machine import Machine
from auditor.interp.operators import MASK, MAX_KEYS, value_region
from auditor.interp.region import Region
from auditor.interp.resets import reset
from auditor.interp.sentinels import standing
from auditor.interp.struck import strike_choice
from auditor.interp.told import stored
from auditor.interp.values import LIVE, MISSING, POSITION_CAP, External, Instance, Mark, Sym


def set_item(m: Machine, container: Any, index: Any, value: Any) -> None:
    """Execute `container[index] = value`."""
    if isinstance(container, dict):
        if isinstance(index, Sym) and index.val is not None and index.val.size == 1 and index.pos is None:
            index = index.val.reshape(-1)[0].item()
        tokens = token_key(index)
        if tokens and not isinstance(value, (dict, list, set)):
            region = Region.union([*(value_region(key) for key in tokens), value_region(value)])
            carried = m.merge(value, *tokens)
            value = Sym(m.node(Kind.CACHE_WRITE, [carried], region=region, table=m.identity(container)), shape=())
        elif tokens and type(value) is dict:
            _row_store(m, value)
        try:
            value = kept(m, value)
            if m.maybe and index in container:
                # Either branch may have stored: keep what both would leave.
                from auditor.interp.join import join_values

                value = join_values(m, container[index], value)
            container[index] = value
        except TypeError:
            container[Sym(m.merge(index))] = value
        return
    if isinstance(container, list):
        _list_store(m, container, index, value)
    elif isinstance(container, Sym):
        if m.flows is None or not m.flows.store(m, container, index, value):
            _sym_store(m, container, index, value)
    elif isinstance(container, Instance) and container.cls is not None:
        from auditor.interp.calls import call_method

        if container.cls.lookup("__setitem__") is not MISSING:
            call_method(m, container, "__setitem__", (index, value))
    elif isinstance(container, External) and container.path == "os.environ" and isinstance(index, str):
        from auditor.interp.environ import write

        write(m, index, value)


def _row_store(m: Machine, row: dict[Any, Any]) -> None:
    """Write the first counts of a row as they would be written one by one."""
    for key, count in list(row.items())[:MAX_KEYS]:
        if token_key(key) and isinstance(count, (int, float)):
            set_item(m, row, key, count)


def _list_store(m: Machine, container: list[Any], index: Any, value: Any) -> None:
    if isinstance(index, Sym) and index.val is not None and index.val.size == 1:
        index = int(index.val.reshape(-1)[0])
    try:
        if isinstance(index, slice):
            from auditor.interp.iterate import elements

            count, items = elements(m, value)
            container[index] = [items(i) for i in range(min(count, 4096))]
        elif isinstance(index, int):
            container[index] = value
        elif container:
            turn = m.files.get(f"turn:{m.identity(container)}", 1) - 1
            container[turn % len(container)] = value
    except (IndexError, ValueError, TypeError):
        container.append(value)


def _sym_store(m: Machine, container: Sym, index: Any, value: Any) -> None:
    parts = parts_of(index)
    if container.attrs:
        container.attrs.pop(LIVE, None)
    if container.mark & Mark.PARAM and all(part is ... or part == slice(None) for part in parts):
        reset(m, container, value)
        return
    keys = [
        part
        for part in parts
        if isinstance(part, Sym) and part.pos is not None and part.val is None and part.name != MASK
        if not part.mark & Mark.TOLD
    ]
    stands = Sym(part_of(m, value)) if isinstance(value, Sym) and value.mark & Mark.NLL else value
    carried = m.merge(container, stands, *m.controls, *[part for part in parts if isinstance(part, Sym)])
    if keys and not container.mark & (Mark.LOGITS | Mark.NLL):
        # Scores that a window has just got are changed in place, not remembered.
        region = Region.union([value_region(key) for key in keys])
        container.mark |= Mark.TABLE
        container.node = m.node(Kind.CACHE_WRITE, [carried], region=region, table=m.identity(container))
        return
    container.node = carried
    by = among(tuple(node for part in parts for node in rivals(part)), value)
    if by is not None:
        container.node = choice(m, carried, by, "a mask")
    if isinstance(value, Sym):
        container.mark |= value.mark & _STORED
    if len(parts) == 1 and isinstance(parts[0], Sym) and parts[0].name == MASK:
        _masked_store(m, container, parts[0], value)
        return
    plain = plain_parts(parts)
    if plain is None or container.shape is None or math.prod(container.shape) > POSITION_CAP:
        container.val = None
        return
    if any(isinstance(part, Sym) and part.name == MAYBE for part in parts):
        container.val = None
    plain = as_slice(plain)
    only_told = isinstance(value, Sym) and value.mark & Mark.TOLD and not value.mark & Mark.LOOKUP
    if isinstance(value, Sym) and value.pos is not None and not only_told:
        _detach(value, container)
        if container.pos is None or not _alone(container):
            container.pos = _writable(container.pos, container.shape)
            container.keys = tuple(_writable(key, container.shape) for key in container.keys)
        # Of a loss only its own token is asked for, of a look-up its event says what it knew; the keys of a whole
        # stream of them would fill the memory.
        bare = container.mark & Mark.NLL or (value.mark & Mark.LOOKUP and container.pos.size > CONTENT_CAP)
        mixed = () if bare else value.keys
        if len(container.keys) < len(mixed):
            missing = mixed[len(container.keys) :]
            container.keys = (*container.keys, *(_writable(None, container.shape) for _ in missing))
        for slot, part in zip((container.pos, *container.keys), (value.pos, *mixed), strict=False):
            _store(slot, plain, part)
        container.val = None
    else:
        sorts.stored(m, container, plain, value)
        _content_store(container, plain, value)
    stored(m, container, plain, value)


def _content_store(container: Sym, index: tuple[Any, ...], value: Any) -> None:
    """Store numbers among numbers. Whole numbers may be the first in an array that was too large to write out."""
    known = value.val if isinstance(value, Sym) else value
    if not isinstance(known, (bool, int, float, np.ndarray)):
        container.val, container.name = None, ""
        return
    if container.val is None and isinstance(known, np.ndarray) and known.dtype.kind == "i" and _untouched(container):
        container.val = np.zeros(container.shape or (), dtype=known.dtype)
    if container.val is not None:
        if not container.val.flags.writeable:
            container.val = container.val.copy()
        _store(container.val, index, known)


def _untouched(container: Sym) -> bool:
    """Say whether nothing but allocating it has happened to an array."""
    return container.name in ALLOCATED and container.node is None and container.pos is None and not container.mark


_STORED = Mark.TOKENS | Mark.NLL | Mark.TRAIN | Mark.LOGITS | Mark.BYTES | Mark.LOOKUP


def _references(value: Sym) -> tuple[int, int, set[int]]:
    """Return how many references Python counts to the positions of a value, asked in one and the same way."""
    return sys.getrefcount(value.pos), sys.getrefcount(value.keys), {sys.getrefcount(key) for key in value.keys}


def _positions() -> np.ndarray:
    return np.zeros(1, dtype=np.int32)


_ONE, _ONE_TUPLE, _ONE_KEY = _references(Sym(pos=_positions(), keys=(_positions(), _positions())))
"""The counts where a value is the only one to hold its positions: no view, no other value and no event does."""


def _alone(container: Sym) -> bool:
    """Say whether the positions of a value may be written to in place: filling a batch row by row would copy it whole
    for every row otherwise."""
    if not all(_is_plain(array, container.shape) for array in (container.pos, *container.keys)):
        return False
    held, tuples, each = _references(container)
    return held == _ONE and (not container.keys or (tuples == _ONE_TUPLE and each == _ONE_KEY))


def _detach(value: Sym, container: Sym) -> None:
    """Give a value its own positions where they are views of the container's, which could not be written to then."""
    held = (container.pos, *container.keys)
    if value is container or not any(
        array.base is mine
        for array in (value.pos, *value.keys)
        for mine in held
        if array is not None and mine is not None
    ):
        return
    value.pos = None if value.pos is None else value.pos.copy()
    value.keys = tuple(key.copy() for key in value.keys)


def _is_plain(array: np.ndarray | None, shape: tuple[int, ...] | None) -> bool:
    if array is None or array.base is not None:
        return False
    return array.shape == shape and array.dtype == np.int32 and array.flags.writeable


def _writable(array: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of positions that may be written to without changing what shares it."""
    if array is not None and array.shape == shape:
        return array.astype(np.int32)
    fresh = np.full(shape, -1, dtype=np.int32)
    if array is not None:
        fresh[...] = array
    return fresh


def _masked_store(m: Machine, container: Sym, mask: Sym, value: Any) -> None:
    """Store under an undecided condition: the container keeps its positions, or takes those of the value."""
    container.val = standing(container, value)
    strike_choice(m, container, mask, (container, value))
    if isinstance(value, Sym) and value.pos is not None and container.shape is not None:
        if container.pos is None and value.pos.size == math.prod(container.shape):
            container.pos, container.keys = value.pos.reshape(container.shape), ()
            container.keys = tuple(k.reshape(container.shape) for k in value.keys if k.size == container.pos.size)
        container.mark |= value.mark & (Mark.LOOKUP | Mark.NLL | Mark.TOKENS)
    if container.pos is None and mask.mark & Mark.TOLD and mask.pos is not None and mask.pos.shape == container.shape:
        # Where it was written says as much as what was written.
        container.pos = mask.pos
        container.mark |= Mark.TOLD


def _store(array: np.ndarray, index: tuple[Any, ...], value: Any) -> None:
    try:
        array[index] = value
    except (IndexError, ValueError, TypeError, OverflowError):
        return
