"""How many elements an iterable has and what each of them is, without materialising large ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.values import Instance, Mark, Sym, Text

UNKNOWN_LENGTH = 3
"""Elements that an iterable of unknown length is taken to have."""


class Lazy:
    """An iterable of known length whose elements are made when asked for (enumerate, zip, map over long lists)."""

    __slots__ = ("count", "item")

    def __init__(self, count: int, item: Callable[[int], Any]) -> None:
        self.count, self.item = count, item


def elements(m: Machine, value: Any) -> tuple[int, Callable[[int], Any]]:
    """Return (length, element getter) of any value that a loop may run over."""
    if m.flows is not None:
        value = m.flows.parts(m, value)
    if isinstance(value, Lazy):
        return value.count, value.item
    if isinstance(value, list):
        # A body may take elements out of the list that it runs over.
        return len(value), lambda i: value[i] if i < len(value) else Sym(name="removed")
    if isinstance(value, (tuple, range, str, bytes)):
        return len(value), value.__getitem__
    if isinstance(value, (dict, set, frozenset)):
        items = list(value)
        return len(items), items.__getitem__
    if isinstance(value, Sym):
        return _sym_elements(m, value)
    if isinstance(value, Instance):
        return _instance_elements(m, value)
    if isinstance(value, Text):
        return 1, lambda _i: value
    return 0, lambda _i: None


def _sym_elements(m: Machine, value: Sym) -> tuple[int, Callable[[int], Any]]:
    from auditor.interp.index import get_item

    if value.shape:
        length = value.shape[0]
        return length, lambda i: get_item(m, value, i)

    def element(_i: int) -> Sym:
        return Sym(value.node, mark=value.mark, name=value.name)

    return UNKNOWN_LENGTH if value.mark & ~Mark.CLOCK or value.node is not None else 2, element


def _instance_elements(m: Machine, value: Instance) -> tuple[int, Callable[[int], Any]]:
    from auditor.interp.attributes import get_attribute
    from auditor.interp.calls import call, call_method
    from auditor.interp.values import MISSING

    if "items" in value.attrs and isinstance(value.attrs["items"], list):
        items = value.attrs["items"]
        return len(items), items.__getitem__
    if value.cls is not None and value.cls.lookup("__iter__") is not MISSING:
        inner = call_method(m, value, "__iter__", ())
        if inner is not value:
            return elements(m, inner)
        made = [call(m, get_attribute(m, value, "__next__"), (), {}) for _ in range(UNKNOWN_LENGTH)]
        return len(made), made.__getitem__
    if value.cls is not None and value.cls.lookup("__getitem__") is not MISSING:
        return UNKNOWN_LENGTH, lambda i: call_method(m, value, "__getitem__", (i,))
    return 0, lambda _i: None


def left_out(items: list[Any]) -> None:
    """Mark parameters that a sampled loop or comprehension may have listed for an optimiser, had it gone over them."""
    for item in items:
        for part in item if isinstance(item, tuple) else (item,):
            if isinstance(part, Sym) and part.mark & Mark.PARAM:
                part.mark |= Mark.STEPPED
