"""Subscripts: views keep positions, tables read by data are cache reads, items written by data are cache writes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from auditor.interp import rowmajor
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.machine import Machine
from auditor.interp.operators import MASK, value_region
from auditor.interp.region import Region
from auditor.interp.runs import bounds
from auditor.interp.sorts import item, looked_up
from auditor.interp.struck import strike
from auditor.interp.values import (
    HELD,
    HELD_AT,
    MISSING,
    SAVED,
    Class,
    Defaulting,
    External,
    Instance,
    Mark,
    Sym,
    Text,
    shown,
)

_VIEW_CAP = 4_000_000
"""Elements that an indexed view may materialise."""


def make_slice(lower: Any, upper: Any, step: Any) -> Any:
    """Build a slice; a bound that is an index array of one element counts as that number."""
    return slice(_bound(lower), _bound(upper), _bound(step))


def _bound(value: Any) -> Any:
    if isinstance(value, Sym) and value.val is not None and value.val.size == 1:
        return int(value.val.reshape(-1)[0])
    return value


def get_item(m: Machine, container: Any, index: Any) -> Any:
    """Evaluate `container[index]`."""
    if isinstance(container, Sym):
        if m.flows is not None and (made := m.flows.item(m, container, index)) is not NotImplemented:
            return made
        return _sym_item(m, container, index)
    if isinstance(index, Sym) and index.val is not None and index.val.size == 1 and index.pos is None:
        index = index.val.reshape(-1)[0].item()
    if isinstance(container, dict):
        return _dict_item(m, container, index)
    if isinstance(container, (list, tuple, str, bytes, range)):
        return _sequence_item(m, container, index)
    if isinstance(container, Instance):
        return _instance_item(m, container, index)
    if isinstance(container, External):
        return _external_item(m, container, index)
    if isinstance(container, Class):
        return container
    from auditor.interp.iterate import Lazy

    if isinstance(container, Lazy) and isinstance(index, int):
        return container.item(index % max(container.count, 1))
    return m.unknown(container, index)


def _external_item(m: Machine, container: External, index: Any) -> Any:
    if container.path == "os.environ":
        from auditor.interp.environ import read

        return read(m, index, MISSING)
    if container.path == "sys.modules" and isinstance(index, str):
        from auditor.interp.imports import load_local

        return load_local(m, index) or container
    if container.path == "sys.argv":
        return m.world.argv[index] if isinstance(index, int) and index < len(m.world.argv) else "train_gpt.py"
    return container


def _dict_item(m: Machine, container: dict[Any, Any], index: Any) -> Any:
    tokens = token_key(index)
    if tokens and container and not any(isinstance(value, (dict, list)) for value in container.values()):
        return _keyed_read(m, container, tokens)
    if not isinstance(index, (Sym, Text)):
        try:
            if index in container:
                return container[index]
        except TypeError:
            return m.unknown(*container.values())
        loose = [value for key, value in container.items() if isinstance(key, (Sym, Text))]
        if isinstance(container, Defaulting) and container.factory is not None:
            from auditor.interp.calls import call

            container[index] = call(m, container.factory, (), {})
            return container[index]
        if loose:
            return loose[0] if len(loose) == 1 else m.unknown(*loose)
        return m.unknown(*list(container.values())[:8])
    if index in container:
        return container[index]
    values = list(container.values())
    if len(values) == 1:
        return values[0]
    if isinstance(index, Sym) and index.pos is not None:
        return _keyed_read(m, container, (index,))
    return m.unknown(index, *values[:64])


def token_key(index: Any) -> tuple[Sym, ...]:
    """Return the token values in a dictionary key, empty where there are none."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(p for p in parts if isinstance(p, Sym) and p.pos is not None and p.mark & Mark.TOKENS)


def _keyed_read(m: Machine, container: Any, keys: tuple[Sym, ...]) -> Sym:
    held = m.merge(container)
    node = m.node(
        Kind.CACHE_READ,
        [key.node for key in keys],
        state=[held],
        region=Region.union(value_region(key) for key in keys),
        parts=tuple(part for key in keys for part in rowmajor.parts(key)),
        table=m.identity(container),
    )
    last = keys[-1]
    return Sym(node, pos=last.pos, shape=last.shape, keys=last.keys, mark=Mark.LOOKUP)


GUESS_FRAMES = 1
"""Calls, from the innermost, whose positions hang on an element that stood for another: a function and its caller."""


def _sequence_item(m: Machine, container: Any, index: Any) -> Any:
    if type(container) is list and len(container) > 1:
        m.listed.update(loop.ident for frame in m.frames for loop in frame.loops)
    try:
        if isinstance(index, slice):
            if all(isinstance(b, (int, type(None))) for b in (index.start, index.stop, index.step)):
                return container[index]
            return container
        if isinstance(index, int):
            return container[index]
    except (IndexError, ValueError):
        if m.flows is not None and isinstance(container, list) and container:
            # Layers that a comprehension makes are sampled: the last one stands for those that were left out.
            return container[-1]
        return Sym(m.merge(list(container)[:4] if not isinstance(container, (str, bytes, range)) else None))
    if isinstance(index, Sym) and len(container) and not isinstance(container, (str, bytes)):
        # Which element is not known: take the next one each time, so that a queue is walked element by element.
        m.guessed.update(frame.ident for frame in m.frames[-GUESS_FRAMES:])
        turn = m.files.setdefault(f"turn:{m.identity(container)}", 0)
        m.files[f"turn:{m.identity(container)}"] = turn + 1
        return container[turn % len(container)]
    return m.unknown(container, index)


def _instance_item(m: Machine, container: Instance, index: Any) -> Any:
    if container.cls is not None and container.cls.lookup("__getitem__") is not MISSING:
        from auditor.interp.calls import call_method

        return call_method(m, container, "__getitem__", (index,))
    items = container.attrs.get("items")
    if isinstance(items, (list, dict)):
        return get_item(m, items, index)
    return m.unknown(container, index)


_NUMBERS = (int, type(None))


def parts_of(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def plain_parts(parts: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the index with known arrays as numpy arrays, None where a part is not known."""
    made: list[Any] = []
    for part in parts:
        if isinstance(part, Sym):
            if part.val is None:
                return None
            made.append(part.val if part.val.ndim else part.val.item())
        elif isinstance(part, list) and all(isinstance(x, int) for x in part):
            made.append(np.asarray(part, dtype=np.int64))
        elif isinstance(part, slice):
            if not (
                isinstance(part.start, _NUMBERS) and isinstance(part.stop, _NUMBERS) and isinstance(part.step, _NUMBERS)
            ):
                return None
            made.append(part)
        elif part is None or part is Ellipsis or isinstance(part, (int, np.ndarray)):
            made.append(part)
        else:
            return None
    return tuple(made)


def _saved_item(m: Machine, container: Sym, index: str) -> Any:
    """Return what was saved under a name, MISSING where it is weights: of those only the origin is followed."""
    saved = (container.attrs or {}).get(SAVED, {}).get(index, MISSING)
    if isinstance(saved, (bool, int, float, str)):
        return saved
    if isinstance(saved, dict):
        made = Sym(container.node, mark=container.mark, name=container.name)
        made.attrs = {SAVED: saved}
        return made
    if isinstance(saved, Sym) and saved.shape is not None and saved.node is not None and not _learned(saved.node):
        return Sym(m.merge(container), shape=saved.shape, mark=saved.mark, name=saved.name)
    return MISSING


def _learned(node: Node) -> bool:
    """Say whether gradients went into a value: then it is weights, quantised or not."""
    return any(n.kind in (Kind.STEP, Kind.BACKWARD, Kind.PARAM) for n in ancestors(node, into_state=True, cap=60))


def _sym_item(m: Machine, container: Sym, index: Any) -> Any:
    if isinstance(index, str) and container.attrs is not None:
        saved = _saved_item(m, container, index)
        if saved is not MISSING:
            return saved
    if index == HELD_AT and container.attrs is not None and HELD in container.attrs:
        return Sym(None, val=np.asarray(container.attrs[HELD]))
    parts = parts_of(index)
    if container.mark & Mark.STATE or isinstance(index, (str, Text)):
        return Sym(
            m.merge(container, *[p for p in parts if isinstance(p, Sym)]), mark=container.mark, name=container.name
        )
    data = [part for part in parts if type(part) is Sym and part.val is None]
    if data:
        found = _data_item(m, container, parts, data)
        if data[0].pos is None or data[0].name == MASK:
            strike(m, found, container, data[0])
        return looked_up(found, container) if len(parts) == 1 and data[0].mark & Mark.TOKENS else found
    plain = _filled_part(container, parts) or plain_parts(parts)
    made = Sym(container.node, mark=container.mark & ~Mark.NORMAL, name=container.name)
    item(made, container, index)
    if plain is None:
        made.shape = None
        return made
    made.pos = _view(container.pos, plain)
    made.val = _view(container.val, plain)
    if container.keys:
        made.keys = tuple(v for v in (_view(key, plain) for key in container.keys) if v is not None)
    if made.pos is not None or made.val is not None:
        made.shape = made.pos.shape if made.pos is not None else made.val.shape  # type: ignore[union-attr]
    elif container.shape is not None:
        dummy = _view(stand_in(container.shape), plain)
        made.shape = dummy.shape if dummy is not None else None
    return made


ALLOCATED = frozenset(f"{module}.{name}" for module in ("numpy", "torch") for name in ("zeros", "empty"))
"""Names of arrays that were made with nothing in them."""


def _filled_part(container: Sym, parts: tuple[Any, ...]) -> tuple[slice] | None:
    """Return the part of an array that has been filled, where it is asked for up to what a sampled loop has counted."""
    part = parts[0] if len(parts) == 1 else None
    if not isinstance(part, slice) or part.start not in (None, 0) or part.step is not None:
        return None
    counted = isinstance(part.stop, Sym) and part.stop.name == "scalar" and part.stop.node is None
    if not counted or container.name not in ALLOCATED:
        return None
    array = container.pos >= 0 if container.pos is not None else container.val
    if array is None or array.ndim != 1:
        return None
    written = np.flatnonzero(array)
    return (slice(0, int(written[-1]) + 1),) if written.size else None


def stand_in(shape: tuple[int, ...]) -> np.ndarray | None:
    """Return an array of that shape which takes no memory; None for a shape that no array can have."""
    try:
        return np.broadcast_to(np.int8(0), shape)
    except ValueError:
        return None


_BASIC = frozenset((int, slice, type(None), type(Ellipsis)))
"""Classes of index parts that make a view and copy nothing."""


def as_slice(index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Spell one long run of indices as a slice, which makes a view and takes a fraction of the time."""
    run = bounds(index[0]) if len(index) == 1 else None
    return index if run is None or run[0] < 0 else (slice(*run),)


def _view(array: np.ndarray | None, index: tuple[Any, ...]) -> np.ndarray | None:
    if array is None:
        return None
    for part in index:
        if type(part) not in _BASIC:
            break
    else:
        try:
            return np.asarray(array[index])
        except (IndexError, ValueError, TypeError):
            return None
    run = as_slice(index)
    if run is not index:
        # A bound beyond the end would be cut off silently; a long run of indices is one of what there is.
        return np.asarray(array[run]) if array.ndim and run[0].stop <= array.shape[0] else None
    fancy = [part for part in index if isinstance(part, np.ndarray)]
    if sum(part.size for part in fancy) > _VIEW_CAP:
        return None
    # A boolean array stands for as many axes as it has.
    axes = sum(part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1 for part in index)
    if fancy and math.prod(array.shape[axes:]) * max(part.size for part in fancy) > _VIEW_CAP:
        return None
    try:
        safe = tuple(
            np.clip(part, -n, n - 1) if isinstance(part, np.ndarray) and part.dtype != bool and n else part
            for part, n in zip(index, (*array.shape, *([0] * len(index))), strict=False)
        )
        return np.asarray(array[safe])
    except (IndexError, ValueError, TypeError):
        return None


def _data_item(m: Machine, container: Sym, parts: tuple[Any, ...], data: list[Sym]) -> Sym:
    """Index by values that are data: a boolean selection, a row of logits at its target, or a table lookup."""
    first = data[-1]
    if container.mark & Mark.LOGITS and any(part.pos is not None and part.mark & Mark.TOKENS for part in data):
        from auditor.interp.losses import gather_loss

        target = next(part for part in data if part.pos is not None and part.mark & Mark.TOKENS)
        return gather_loss(m, container, target)
    if first.name == MASK and first.shape == container.shape:
        chosen = _selected(m, container, first)
        # New axes beside the mask: the selection is one axis, they are the others.
        return chosen if len(parts) == 1 else _sym_item(m, chosen, _beside_mask(parts))
    if container.pos is not None and first.shape == container.shape and first.pos is None:
        # A selection by an undecided condition: keep every element, since any of them may be taken.
        kept = Sym(m.merge(container, first), shape=container.shape, pos=container.pos, keys=container.keys)
        kept.mark = container.mark
        return kept
    keyed = [part for part in data if part.pos is not None and part.name != MASK and not _only_told(part)]
    if keyed:
        key = keyed[-1]
        # A window's own distribution is no memory: what is read out of it was predicted here.
        held, own = (None, container.node) if container.mark & Mark.LOGITS else (container.node, None)
        node = m.node(
            Kind.CACHE_READ,
            [*(part.node for part in data), own],
            state=[held],
            region=Region.union([value_region(part) for part in keyed]),
            parts=tuple(part for key in keyed for part in rowmajor.parts(key)),
            table=m.identity(shown(container)),
        )
        rest = container.shape[len(parts) :] if container.shape is not None else ()
        mark = container.mark & ~Mark.TABLE | Mark.LOOKUP
        if rest and rest != (1,):
            # A row per key: a whole distribution, of which a later index picks one entry.
            return Sym(node, shape=(*(key.shape or ()), *rest), mark=mark)
        return Sym(node, shape=key.shape, pos=key.pos, keys=key.keys, mark=mark)
    shape = first.shape if len(parts) == 1 else None
    return Sym(m.merge(container, *data), shape=shape, mark=container.mark)


def _beside_mask(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the index with its mask, of which the selection has been made, replaced by everything."""
    return tuple(slice(None) if isinstance(part, Sym) else part for part in parts)


def _only_told(part: Sym) -> bool:
    """Say whether a value knew the tokens at its positions without being a key made of them."""
    return bool(part.mark & Mark.TOLD) and not part.mark & Mark.TOKENS


MAYBE = "maybe"
"""Name of known numbers among which an undecided condition selects: what stands there may be left as it was."""


def _selected(m: Machine, container: Sym, mask: Sym) -> Sym:
    """Select by an undecided condition: every element is kept, since any of them may be taken."""
    made = Sym(m.merge(container, mask), mark=container.mark, name=container.name)
    for field in ("pos", "val"):
        array = getattr(container, field)
        setattr(made, field, None if array is None else array.reshape(-1))
    if made.val is not None:
        made.name = MAYBE
    made.keys = tuple(key.reshape(-1) for key in container.keys)
    if container.shape is not None:
        made.shape = (math.prod(container.shape),)
    return made
