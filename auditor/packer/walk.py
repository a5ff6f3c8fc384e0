"""Every node of a tree that is about to be edited: ast.walk's order at a quarter of its cost.

Nothing is kept between calls (`frontend.walk` keeps its list, which is only true for trees that nobody changes).
Contexts and operators are left out: they carry nothing, and make a third of all nodes.
"""

from __future__ import annotations

import ast

_LEAVES = frozenset(
    [
        *("id", "ctx", "attr", "arg", "asname", "module", "level", "kind", "type_comment", "lineno", "conversion"),
        *("is_async", "simple", "op", "ops", "type_ignores", "rest", "kwd_attrs"),
    ]
)
"""Fields that never hold a node worth visiting."""


_KINDS = [kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)]
_INNER = {kind: tuple(name for name in kind._fields if name not in _LEAVES) for kind in _KINDS}
"""Class of nodes -> its fields that can hold nodes."""
_INNER[ast.Constant] = ()


def nodes(root: ast.AST) -> list[ast.AST]:
    """Return the node and all below it, breadth first, without contexts and operators."""
    found = [root]
    for node in found:
        for name in _INNER[type(node)]:
            value = getattr(node, name, None)
            if type(value) is list:
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes directly below, without contexts and operators."""
    found: list[ast.AST] = []
    for name in _INNER[type(node)]:
        value = getattr(node, name, None)
        if type(value) is list:
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found
