"""Tokenizer pieces as bytes: a piece carries its word boundary as a mark of three bytes that the text does not hold."""

from __future__ import annotations

import ast
from typing import Any

from auditor.frontend.walk import nodes
from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.sorts import said
from auditor.interp.values import Mark, Sym

PIECE = "piece"
"""Name of a piece as the tokenizer spells it."""
PIECE_BYTES = "piece bytes"
"""Name of its bytes."""
_BOUNDARY = "\u2581"


def encoded(m: Machine, piece: Sym) -> Sym:
    """Return the bytes of a piece; an event says where the mark is still in them."""
    made = Sym(piece.node, mark=piece.mark & ~Mark.TOKENS, name=PIECE_BYTES)
    known = said(piece)
    if (known is None or _speaks(known[1])) and not _handles_boundary(m):
        made.node = m.node(Kind.OP, [piece.node], text="bytes of a piece with its mark", raw_piece=True)
    return made


def _handles_boundary(m: Machine) -> bool:
    """Say whether the function at hand speaks of the mark anywhere: then it may well take it out, before or after."""
    tree = m.frame.module.tree
    name = m.frame.name.rsplit(".", 1)[-1]
    bodies: list[ast.AST] = [n for n in nodes(tree) if isinstance(n, ast.FunctionDef) and n.name == name]
    inside = (node for body in bodies or [tree] for node in nodes(body))
    return any(_speaks(node.value) for node in inside if isinstance(node, ast.Constant))


def _speaks(value: Any) -> bool:
    if isinstance(value, bytes):
        return _BOUNDARY.encode() in value
    return isinstance(value, str) and _BOUNDARY in value
