"""Joining what two branches left behind: keep what both agree on, keep origins where they do not."""

from __future__ import annotations

from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.values import Scope, Sym


def join_values(m: Machine, first: Any, second: Any) -> Any:
    """Return a value that stands for either; where nothing better is known, one that carries both origins."""
    if first is second:
        return first
    if m.flows is not None and (made := m.flows.join(first, second)) is not NotImplemented:
        return made
    if first is None:
        return second
    if second is None:
        return first
    if isinstance(first, Sym) or isinstance(second, Sym):
        return _join_syms(m, first, second)
    if isinstance(first, (bool, int, float, str)) and isinstance(second, (bool, int, float, str)):
        return first if type(first) is type(second) and first == second else Sym(name="joined")
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        return tuple(join_values(m, a, b) for a, b in zip(first, second, strict=True))
    return first


def _join_syms(m: Machine, first: Any, second: Any) -> Sym:
    node = m.merge(first, second)
    if isinstance(first, Sym) and isinstance(second, Sym):
        same = first.shape == second.shape
        pos = first.pos if first.pos is not None else second.pos
        made = Sym(node, shape=first.shape if same else None, mark=first.mark | second.mark)
        if pos is not None and (made.shape is None or pos.shape == made.shape):
            made.pos, made.shape = pos, pos.shape
        made.keys = first.keys or second.keys
        return made
    known = first if isinstance(first, Sym) else second
    return Sym(node, shape=known.shape, pos=known.pos, keys=known.keys, mark=known.mark, name=known.name)


def join_scopes(m: Machine, scope: Scope, other: dict[str, Any]) -> None:
    """Join `other` (the variables after one branch) into `scope` (after the other)."""
    mine = scope.variables
    for name, value in other.items():
        if name not in mine:
            mine[name] = value
        elif mine[name] is not value:
            mine[name] = join_values(m, value, mine[name])
