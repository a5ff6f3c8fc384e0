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


KINDS = tuple(kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST))
"""Every class of nodes of this interpreter."""
_INNER = {kind: tuple(name for name in kind._fields if name not in _LEAVES) for kind in KINDS}
"""Class of nodes -> its fields that can hold nodes."""
_INNER[ast.Constant] = ()

_SUITES: dict[type[ast.AST], tuple[str, ...]] = {
    kind: tuple(name for name in inner if name in ("body", "handlers", "orelse", "finalbody", "cases"))
    for kind, inner in _INNER.items()
    if issubclass(kind, (ast.mod, ast.stmt, ast.excepthandler, ast.match_case))
}
"""Class of nodes that stand on lines of their own -> its fields that hold more of them."""


def nodes(root: ast.AST) -> list[ast.AST]:
    """Return the node and all below it, breadth first, without contexts and operators."""
    found = [root]
    for node in found:
        for name in _INNER[type(node)]:
            value = getattr(node, name, None)
            if value is None:
                continue
            if type(value) is list:
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def statements(root: ast.AST) -> list[ast.AST]:
    """Return what of `nodes(root)` stands on lines of its own: modules, statements, handlers and cases."""
    found = [root]
    for node in found:
        for name in _SUITES[type(node)]:
            found += getattr(node, name)
    return found


def suites(node: ast.AST) -> tuple[str, ...]:
    """Return the fields of a node that hold statements, handlers or cases."""
    return _SUITES[type(node)]


def inner(node: ast.AST) -> tuple[str, ...]:
    """Return the fields of a node that can hold nodes other than contexts and operators."""
    return _INNER[type(node)]


def parents(root: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return every node below `root` with the node that holds it, in the order of `nodes`."""
    found: dict[ast.AST, ast.AST] = {}
    level = [root]
    for node in level:
        below = children(node)
        level += below
        for child in below:
            found[child] = node
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
