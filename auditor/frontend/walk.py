"""Every node of a syntax tree, listed once and kept on the tree: many questions are asked of the same tree.

Trees are not changed after parsing, so the list stays true. It must not be used on trees that a caller edits.
"""

from __future__ import annotations

import ast
from typing import TypeVar

Syntax = TypeVar("Syntax", bound=ast.AST)

_KEPT = "_listed_nodes"
"""Attribute that holds the list; it lives and dies with the tree."""
_BY_KINDS = "_listed_by_kinds"
"""Attribute that holds the lists by class."""
_PLACES = "_listed_places"
"""Attribute that holds, for a whole file, where in the list the nodes of each class are."""
_PLAIN_FIELDS = frozenset(("attr", "ctx", "id", "is_async", "kind", "level", "module", "simple", "type_comment"))
"""Fields of syntax nodes that never hold a node, load and store contexts aside, under any class."""

_NODE_LISTS = frozenset(
    ("args", "bases", "body", "comparators", "decorator_list", "elts", "generators", "handlers", "ifs", "items")
).union(("keywords", "ops", "orelse", "targets", "values"))
"""Fields whose lists hold nodes only, under any class."""


def nodes(root: ast.AST) -> tuple[ast.AST, ...]:
    """Return the node and all below it, breadth first as ast.walk does, without load and store contexts."""
    kept: tuple[ast.AST, ...] | None = root.__dict__.get(_KEPT)
    if kept is None:
        kept = _listed(root)
        setattr(root, _KEPT, kept)
    return kept


def nodes_of(root: ast.AST, *kinds: type[Syntax]) -> tuple[Syntax, ...]:
    """Return those of `nodes` that are of the given classes themselves (of no derived class), in the same order."""
    by_kinds = root.__dict__.setdefault(_BY_KINDS, {})
    if kinds not in by_kinds:
        by_kinds[kinds] = _chosen(root, kinds)
    found: tuple[Syntax, ...] = by_kinds[kinds]
    return found


def _chosen(root: ast.AST, kinds: tuple[type[ast.AST], ...]) -> tuple[ast.AST, ...]:
    if not isinstance(root, ast.Module):
        return tuple([node for node in nodes(root) if type(node) in kinds])
    # Of a whole file many classes are asked for: their places are noted in one pass.
    listed, places = nodes(root), root.__dict__.get(_PLACES)
    if places is None:
        places = {}
        for place, node in enumerate(listed):
            places.setdefault(type(node), []).append(place)
        setattr(root, _PLACES, places)
    wanted = [place for kind in kinds for place in places.get(kind, ())]
    return tuple([listed[place] for place in (sorted(wanted) if len(kinds) > 1 else wanted)])


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """Class -> the fields that may hold nodes, looked up once per class."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        self[kind] = () if kind is ast.Constant else tuple(name for name in kind._fields if name not in _PLAIN_FIELDS)
        return self[kind]


_CHILDREN = _Fields()


def _listed(root: ast.AST) -> tuple[ast.AST, ...]:
    children, found = _CHILDREN, [root]
    add = found.append
    for node in found:
        fields = children[type(node)]
        if fields:
            held = node.__dict__
            for name in fields:
                value = held.get(name)
                if type(value) is list:
                    if name in _NODE_LISTS:
                        found += value
                    else:
                        found += [item for item in value if isinstance(item, ast.AST)]
                elif isinstance(value, ast.AST):
                    add(value)
    return tuple(found)
