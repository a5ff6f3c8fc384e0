"""Whether a script compares something with a number written in it that only a longer text reaches."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

ORDERING = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
PARAMETERS = frozenset({"numel", "nelement", "size"})
"""Methods that count what a tensor holds: by these, scripts choose how to quantise weights of a size."""


def thresholds(sources: Iterable[str], above: int, below: int) -> tuple[int, ...]:
    """Return the integers over `above` and up to `below` with which the sources compare a quantity.

    They stand in the comparison, or are bound as they stand to a name in one. Values of settings do not count, as the
    miniature lowers those. Sources that this Python cannot parse have none.
    """
    trees = [tree for tree in map(parsed, sources) if tree is not None]
    compared = {name for tree in trees for side in sides(tree) if (name := name_of(side)) is not None}
    found = {n for tree in trees for side in sides(tree) if (n := number(side)) is not None}
    found |= {n for tree in trees for name, value in bindings(tree) if name in compared and (n := number(value))}
    return tuple(sorted(n for n in found if above < n <= below))


def parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def sides(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield both sides of every comparison by order that does not count a tensor's elements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ORDERING) for op in node.ops):
            whole = (node.left, *node.comparators)
            if not any(isinstance(side, ast.Call) and name_of(side.func) in PARAMETERS for side in whole):
                yield from whole


def name_of(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def number(node: ast.expr) -> int | None:
    """Return the whole number that an expression is, None where it is anything else."""
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        return None
    return int(value)


def bindings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield (name, value) of assignments, parameters with defaults and keyword arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((name, node.value) for t in targets if (name := name_of(t)) is not None)
        elif isinstance(node, ast.keyword) and node.arg is not None:
            yield node.arg, node.value
        elif isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            for argument, default in zip(
                positional[len(positional) - len(node.defaults) :], node.defaults, strict=True
            ):
                yield argument.arg, default
            for argument, value in zip(node.kwonlyargs, node.kw_defaults, strict=True):
                if value is not None:
                    yield argument.arg, value
