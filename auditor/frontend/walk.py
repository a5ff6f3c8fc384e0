"""Every node of a syntax tree, listed once and kept on the tree: many questions are asked of the same tree.

Trees are not changed after parsing, so the list stays true. It must not be used on trees that a caller edits.
"""

from __future__ import annotations

import ast

_KEPT = "_listed_nodes"
"""Attribute that holds the list; it lives and dies with the tree."""


def nodes(root: ast.AST) -> tuple[ast.AST, ...]:
    """Return the node and all below it, breadth first as ast.walk does, without load and store contexts."""
    kept: tuple[ast.AST, ...] | None = root.__dict__.get(_KEPT)
    if kept is None:
        kept = _listed(root)
        setattr(root, _KEPT, kept)
    return kept


def _listed(root: ast.AST) -> tuple[ast.AST, ...]:
    found = [root]
    for node in found:
        for value in node.__dict__.values():
            if type(value) is list:
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return tuple(found)
