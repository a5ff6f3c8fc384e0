"""Syntax newer than 3.10 that a newer host parses without a word, told from the tree, every place of it.

f-strings are not here: their tree says nothing about quotes (see pep701).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from auditor.frontend.walk import nodes, nodes_of

Version = tuple[int, int]

_ASYNC = re.compile(r"\basync\b(?!\s*=)|\bawait\b")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Module)


@dataclass(frozen=True, slots=True)
class Newer:
    """One construct: where it stands and the first version that has it."""

    line: int
    column: int
    """1-based, in UTF-8 bytes as the parser counts."""
    message: str
    minimum: Version


def newer_syntax(tree: ast.Module, text: str) -> list[Newer]:
    """Return every construct newer than 3.10, in the order of the text."""
    found: list[Newer] = []
    for node in nodes_of(tree, *_kinds()):
        found += _CHECKS[type(node).__name__](node)
    if _ASYNC.search(text) and any(map(_waits, nodes_of(tree, ast.comprehension, ast.Await))):
        found += _async_comprehensions(tree)
    return sorted(found, key=lambda item: (item.line, item.column))


def _waits(node: ast.AST) -> bool:
    return isinstance(node, ast.Await) or bool(getattr(node, "is_async", 0))


def _at(node: ast.AST, message: str, minimum: Version) -> Newer:
    return Newer(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, message, minimum)


def _subscript(node: ast.Subscript) -> Iterator[Newer]:
    items = node.slice
    if isinstance(items, ast.Tuple) and items.elts:
        first = items.elts[0]
        bare = (items.lineno, items.col_offset) == (first.lineno, first.col_offset)
        starred = next((item for item in items.elts if isinstance(item, ast.Starred)), None)
        if bare and starred is not None:
            yield _at(starred, "a starred item in an index (PEP 646)", (3, 11))


def _arguments(node: ast.arguments) -> Iterator[Newer]:
    if node.vararg and isinstance(node.vararg.annotation, ast.Starred):
        yield _at(node.vararg.annotation, "a starred annotation of *args (PEP 646)", (3, 11))


def _try_star(node: ast.AST) -> Iterator[Newer]:
    for handler in getattr(node, "handlers", ()):
        yield _at(handler, "except* (PEP 654)", (3, 11))


def _type_alias(node: ast.AST) -> Iterator[Newer]:
    yield _at(node, "a type statement (PEP 695)", (3, 12))


def _type_parameter(node: ast.AST) -> Iterator[Newer]:
    yield _at(node, "type parameters (PEP 695)", (3, 12))
    default = getattr(node, "default_value", None)
    if default is not None:
        yield _at(default, "a default of a type parameter (PEP 696)", (3, 13))


def _template(node: ast.AST) -> Iterator[Newer]:
    yield _at(node, "a template string (PEP 750)", (3, 14))


def _handler(node: ast.ExceptHandler) -> Iterator[Newer]:
    kind = node.type
    if isinstance(kind, ast.Tuple) and len(kind.elts) > 1:
        first = kind.elts[0]
        if (kind.lineno, kind.col_offset) == (first.lineno, first.col_offset):
            yield _at(kind, "several exceptions without parentheses (PEP 758)", (3, 14))


_CHECKS: dict[str, Callable[[Any], Iterator[Newer]]] = {
    "Subscript": _subscript,
    "arguments": _arguments,
    "TryStar": _try_star,
    "TypeAlias": _type_alias,
    "TypeVar": _type_parameter,
    "ParamSpec": _type_parameter,
    "TypeVarTuple": _type_parameter,
    "TemplateStr": _template,
    "ExceptHandler": _handler,
}


@lru_cache(maxsize=1)
def _kinds() -> tuple[type[ast.AST], ...]:
    """Return those of the checked classes that the host's parser has."""
    return tuple(getattr(ast, name) for name in _CHECKS if hasattr(ast, name))


def _async_comprehensions(tree: ast.Module) -> Iterator[Newer]:
    """Yield asynchronous comprehensions directly inside another comprehension: allowed since 3.11 only."""
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, inside = stack.pop()
        comprehension = isinstance(node, (*_COMPREHENSIONS, ast.GeneratorExp))
        if inside and isinstance(node, _COMPREHENSIONS) and _is_async(node):
            yield _at(node, "an asynchronous comprehension inside another one", (3, 11))
        first = node.generators[0].iter if isinstance(node, (*_COMPREHENSIONS, ast.GeneratorExp)) else None
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.comprehension):
                for part in ast.iter_child_nodes(child):
                    stack.append((part, inside if part is first else True))
            else:
                stack.append((child, comprehension or (inside and not isinstance(node, _SCOPES))))


def _is_async(node: ast.ListComp | ast.SetComp | ast.DictComp) -> bool:
    if any(generator.is_async for generator in node.generators):
        return True
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    return any(isinstance(child, ast.Await) for part in parts for child in nodes(part))
