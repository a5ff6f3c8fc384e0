"""Builtins over sequences and mappings: lengths, ranges, sorting, zipping, extremes; large ones stay lazy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.interp.choices import extreme, first_of
from auditor.interp.iterate import Lazy, elements
from auditor.interp.machine import Machine
from auditor.interp.pieces import PIECE_BYTES
from auditor.interp.sorts import of_plain
from auditor.interp.values import (
    MISSING,
    Defaulting,
    External,
    Instance,
    Mark,
    Sym,
)

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


def _len(m: Machine, a: Args, k: Kwargs) -> Any:
    value = a[0] if a else None
    if isinstance(value, (list, tuple, dict, set, frozenset, str, bytes, range)):
        return len(value)
    if isinstance(value, Lazy):
        return value.count
    if isinstance(value, Sym):
        if value.shape:
            return value.shape[0]
        measured = value.mark & Mark.STATE or value.name == PIECE_BYTES
        return of_plain(Sym(value.node if measured else None, shape=(), name="scalar"), value, len)
    if isinstance(value, Instance):
        if isinstance(value.attrs.get("items"), (list, dict)):
            return len(value.attrs["items"])
        if value.cls is not None and value.cls.lookup("__len__") is not MISSING:
            from auditor.interp.calls import call_method

            return call_method(m, value, "__len__", ())
    return Sym(shape=(), name="scalar")


def _range(m: Machine, a: Args, k: Kwargs) -> Any:
    numbers = [int_of(v) for v in a]
    if all(isinstance(n, int) for n in numbers) and numbers:
        try:
            return range(*numbers)
        except (TypeError, ValueError):
            return range(0)
    # A bound is not known: take a few iterations, keeping the start and the step.
    start = numbers[0] if len(numbers) > 1 and isinstance(numbers[0], int) else 0
    stride = numbers[2] if len(numbers) > 2 and isinstance(numbers[2], int) and numbers[2] else 1
    return range(start, start + 3 * stride, stride)


def int_of(value: Any) -> Any:
    """Return the number that a value is known to be, else the value."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Sym) and value.val is not None and value.val.size == 1:
        return int(value.val.reshape(-1)[0])
    return value


KEYS = 64
"""Items of which a key is asked for; only keys that are losses matter, and sampled loops leave few of those."""


def _keys(m: Machine, items: list[Any], key: Any) -> list[Any]:
    """Return what several items are compared by: their keys, or the first parts of tuples."""
    if key is None:
        return [item[0] for item in items if isinstance(item, tuple) and item]
    from auditor.interp.calls import call

    return [call(m, key, (item,), {}) for item in items[:KEYS]]


def _extreme(name: str) -> Callable[[Machine, Args, Kwargs], Any]:
    plain = min if name == "min" else max

    def choose(m: Machine, a: Args, k: Kwargs) -> Any:
        values: list[Any] = list(a)
        if len(a) == 1:
            count, item = elements(m, a[0])
            values = [item(i) for i in range(min(count, 4096))]
        values = [int_of(v) for v in values]
        if values and ("key" in k or isinstance(values[0], tuple)):
            best = first_of(m, values, _keys(m, values, k.get("key"))) if name == "min" else values[0]
            if "key" in k or best is not values[0]:
                return best
        if values and all(isinstance(v, (int, float)) for v in values):
            return plain(values)
        if not values:
            return k.get("default", Sym(shape=(), name="scalar"))
        losses = [v for v in values if isinstance(v, Sym) and v.mark & Mark.NLL]
        made = Sym(m.merge(*values), shape=(), name="scalar")
        for v in losses:
            made.mark |= v.mark & Mark.NLL
            made.pos = v.pos if v.pos is not None and v.pos.shape == () else made.pos
        # Outside every loop it is the better of whole evaluations that is reported, not an oracle over tokens.
        by_token = any(frame.loops for frame in m.frames)
        if by_token and len(losses) > 1 and losses[0].node is not losses[1].node:
            from auditor.interp.operators import value_region

            made.node = extreme(m, made.node, losses, name, value_region(losses[0]))
        return made

    return choose


def _sum(m: Machine, a: Args, k: Kwargs) -> Any:
    count, item = elements(m, a[0]) if a else (0, lambda i: None)
    values = [int_of(item(i)) for i in range(min(count, 4096))]
    if all(isinstance(v, (int, float)) for v in values):
        return sum(values)
    if values and any(isinstance(v, list) for v in values):
        return [x for v in values if isinstance(v, list) for x in v]
    made = m.unknown(*values)
    made.shape, made.name = (), "scalar"
    return made


def _list(m: Machine, a: Args, k: Kwargs) -> Any:
    if not a:
        return []
    if isinstance(a[0], Sym) and not a[0].shape:
        return [Sym(a[0].node, mark=a[0].mark)]
    count, item = elements(m, a[0])
    if count > 20_000:
        return a[0] if isinstance(a[0], (range, Sym)) else [item(i) for i in range(20_000)]
    return [item(i) for i in range(count)]


def _tuple(m: Machine, a: Args, k: Kwargs) -> Any:
    made = _list(m, a, k)
    return tuple(made) if isinstance(made, list) else made


def _dict(m: Machine, a: Args, k: Kwargs) -> Any:
    made: dict[Any, Any] = {}
    if a and isinstance(a[0], dict):
        made.update(a[0])
    elif a and isinstance(a[0], (list, tuple)):
        for pair in a[0]:
            if isinstance(pair, (tuple, list)) and len(pair) == 2:
                try:
                    made[pair[0]] = pair[1]
                except TypeError:
                    made[Sym()] = pair[1]
    elif a and isinstance(a[0], Sym):
        made[Sym(name="key")] = a[0]
    made.update(k)
    return made


def _set(m: Machine, a: Args, k: Kwargs) -> Any:
    try:
        return set(_list(m, a, k))
    except TypeError:
        return m.unknown(*a)


def _enumerate(m: Machine, a: Args, k: Kwargs) -> Any:
    count, item = elements(m, a[0]) if a else (0, lambda i: None)
    start = a[1] if len(a) > 1 and isinstance(a[1], int) else k.get("start", 0)
    return Lazy(count, lambda i: (i + start if isinstance(start, int) else Sym(name="scalar"), item(i)))


def _zip(m: Machine, a: Args, k: Kwargs) -> Any:
    sides = [elements(m, v) for v in a]
    count = min((n for n, _ in sides), default=0)
    return Lazy(count, lambda i: tuple(item(i) for _, item in sides))


def _map(m: Machine, a: Args, k: Kwargs) -> Any:
    from auditor.interp.calls import call

    sides = [elements(m, v) for v in a[1:]]
    count = min((n for n, _ in sides), default=0)
    return [call(m, a[0], tuple(item(i) for _, item in sides), {}) for i in range(min(count, 512))]


def _filter(m: Machine, a: Args, k: Kwargs) -> Any:
    return _list(m, a[1:], k)


def _sorted(m: Machine, a: Args, k: Kwargs) -> Any:
    values = _list(m, a, k)
    if isinstance(values, list) and "key" not in k and all(isinstance(v, (int, float)) for v in values):
        return sorted(values, reverse=k.get("reverse") is True)
    if isinstance(values, list) and "key" not in k and values and all(isinstance(v, str) for v in values):
        return sorted(values)
    return values


def _reversed(m: Machine, a: Args, k: Kwargs) -> Any:
    count, item = elements(m, a[0]) if a else (0, lambda i: None)
    return Lazy(count, lambda i: item(count - 1 - i))


def _any_all(name: str) -> Callable[[Machine, Args, Kwargs], Any]:
    def decide(m: Machine, a: Args, k: Kwargs) -> Any:
        from auditor.interp.expressions import truth

        count, item = elements(m, a[0]) if a else (0, lambda i: None)
        known = [truth(m, item(i)) for i in range(min(count, 4096))]
        wanted = name == "any"
        if wanted in known:
            return wanted
        return Sym(m.merge(*a), shape=(), name="scalar") if None in known else not wanted

    return decide


def _next(m: Machine, a: Args, k: Kwargs) -> Any:
    value = a[0] if a else None
    if isinstance(value, list):
        return value[0] if value else (a[1] if len(a) > 1 else Sym())
    if isinstance(value, Instance) and value.cls is not None and value.cls.lookup("__next__") is not MISSING:
        from auditor.interp.calls import call_method

        return call_method(m, value, "__next__", ())
    count, item = elements(m, value)
    return item(0) if count else (a[1] if len(a) > 1 else Sym())


def _dictionary(m: Machine, a: Args, k: Kwargs) -> Any:
    made: dict[Any, Any] = {}
    if a and isinstance(a[-1], dict):
        made.update(a[-1])
    made.update(k)
    return made


def _counter(m: Machine, a: Args, k: Kwargs) -> Any:
    made = Defaulting(External("builtins.int"))
    if a and isinstance(a[0], dict):
        made.update(a[0])
    elif a:
        count, item = elements(m, a[0])
        for i in range(min(count, 4096)):
            key = item(i)
            made[key] = made.get(key, 0) + 1 if not isinstance(key, Sym) else Sym(m.merge(key))
    return made


SEQUENCES: dict[str, Callable[[Machine, Args, Kwargs], Any]] = {
    "builtins.len": _len,
    "builtins.range": _range,
    "builtins.min": _extreme("min"),
    "builtins.max": _extreme("max"),
    "builtins.sum": _sum,
    "builtins.list": _list,
    "builtins.tuple": _tuple,
    "builtins.iter": _list,
    "builtins.dict": _dict,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "builtins.sorted": _sorted,
    "builtins.reversed": _reversed,
    "builtins.any": _any_all("any"),
    "builtins.all": _any_all("all"),
    "builtins.next": _next,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda m, a, k: Defaulting(a[0] if a else None),
    "collections.Counter": _counter,
    "collections.deque": _list,
}
