"""Calls into native code: arrays that a readable C source fills are as good as computed here, others are unknown.

What a source does to its output arrays is read by `frontend.cflow`. An output that depends on the token at its own
place carries that token's position: whoever compares it with the targets later looks at what already knew them.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np

from auditor.frontend.cfacts import Element, Output, Summary, Unread, Whole
from auditor.frontend.cflow import summarise
from auditor.frontend.walk import nodes
from auditor.interp.graph import Kind, Node
from auditor.interp.machine import Machine
from auditor.interp.values import SHARE, Instance, Mark, Sym

_SHORT = 60
"""Characters below which a string constant holds no function."""


def call_native(m: Machine, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sym:
    """Model the call of a function of a loaded library."""
    given = [*args, *kwargs.values()]
    source = _source(m, name)
    if source is not None and not kwargs and _understood(source[1], given):
        file, summary = source
        origins = [value.node for value in given if isinstance(value, Sym)]
        node = m.node(Kind.OP, origins, text=f"native {name}", native=file)
        for output in summary.outputs:
            _fill(m, given, output, node)
        for k in summary.written.keys() - {output.parameter for output in summary.outputs}:
            if isinstance(given[k], Sym):
                given[k].node, given[k].val = node, None
        return Sym(node)
    node = m.note(Kind.NATIVE, name, given)
    for argument in given:
        holder = _holder(argument)
        if isinstance(holder, Sym) and not holder.mark & (Mark.TOKENS | Mark.NLL):
            holder.node, holder.val = node, None
    marks = [value.mark & (Mark.NLL | Mark.TOKENS) for value in given if isinstance(value, Sym)]
    return Sym(node, mark=int(np.bitwise_or.reduce(marks)) if marks else Mark.NONE)


def _holder(argument: Any) -> Any:
    return argument.attrs.get("array") if isinstance(argument, Instance) else argument


def _source(m: Machine, name: str) -> tuple[str, Summary] | None:
    """Return where a function is defined and what its source says; None where no source is shipped or carried."""
    if name not in m.native:
        m.native[name] = None
        for file, text in (*m.shipped, *_carried(m)):
            summary = summarise(text, name) if re.search(rf"\b{re.escape(name)}\s*\(", text) else None
            if summary is not None:
                m.native[name] = file, summary
                break
    return m.native[name]


def _carried(m: Machine) -> list[tuple[str, str]]:
    """Return (file, text) of the string constants of the program that may hold C source."""
    trees = [(info.file, info.tree) for info in m.modules.values()]
    trees += [(file, tree) for file, _, tree in m.sources.values()]
    return [
        (file, node.value)
        for file, tree in trees
        for node in nodes(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > _SHORT
    ]


def _understood(summary: Summary, given: list[Any]) -> bool:
    """Say whether all that the call does is known: every output element by element, and no tokens kept unseen."""
    if len(summary.parameters) != len(given) or Unread() in summary.returned.union(*summary.written.values()):
        return False
    if not summary.outputs:
        return not any(_token_array(value) for value in given)
    atoms = [atom for output in summary.outputs for atom in output.atoms]
    # Memory that is handed in holds what earlier calls left there; tokens must be at a place.
    return not any(isinstance(atom, Whole) and _token_array(given[atom.parameter]) for atom in atoms)


def _token_array(value: Any) -> bool:
    return isinstance(value, Sym) and bool(value.mark & (Mark.TOKENS | Mark.NLL)) and value.shape not in ((), (1,))


def _fill(m: Machine, given: list[Any], output: Output, node: Node) -> None:
    """Write an output: its origin, and the token positions that each element was made of where it is told them."""
    holder = _holder(given[output.parameter])
    if not isinstance(holder, Sym):
        return
    holder.node, holder.val, holder.pos, holder.keys = node, None, None, ()
    if output.share:
        holder.attrs = {**(holder.attrs or {}), SHARE: True}
    length = holder.shape[0] if holder.shape else 0
    for atom in output.atoms:
        told = _positions(given, atom) if isinstance(atom, Element) else None
        if told is None or told.size != length or (holder.pos is not None and told.max() <= holder.pos.max()):
            continue
        # The latest token counts: what knows a token may know all before it.
        holder.pos = told
        holder.mark |= Mark.TOLD
    if holder.mark & Mark.TOLD:
        holder.node = m.node(Kind.OP, [node], text=node.text, native=node.info["native"], native_line=output.line)


def _positions(given: list[Any], atom: Element) -> np.ndarray | None:
    """Return the positions of the tokens that an atom stands for, for each element of the output."""
    tokens = given[atom.parameter]
    if not isinstance(tokens, Sym) or tokens.pos is None or not tokens.mark & Mark.TOKENS:
        return None
    places = np.arange(tokens.pos.size)
    if atom.via is not None:
        via = given[atom.via]
        if not isinstance(via, Sym) or via.val is None:
            return None
        places = via.val.reshape(-1).astype(np.int64)
    at = places + atom.shift
    inside = (at >= 0) & (at < tokens.pos.size)
    return np.where(inside, tokens.pos.reshape(-1)[np.clip(at, 0, tokens.pos.size - 1)], -1).astype(np.int32)
