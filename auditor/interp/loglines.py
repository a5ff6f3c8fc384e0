"""What the lines of a log say of a program: which blocks were entered, which were gone past, which texts were shown."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.templates import MIN_FRAGMENT, LogText, find_line, fragments, printed_templates

Place = tuple[str, int]
"""(log file, line)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What of a program is looked up to tell who printed a line."""

    functions: dict[str, ast.FunctionDef]
    calls: Counter[str]
    """How often each name is called."""
    everywhere: Counter[tuple[str, ...]]
    """How often each template is printed."""


def listing(trees: list[ast.Module]) -> Listing:
    """Look a program's functions, calls and templates up."""
    calls = Counter(_called(node) for tree in trees for node in nodes_of(tree, ast.Call))
    functions = {n.name: n for tree in trees for n in nodes_of(tree, ast.FunctionDef)}
    return Listing(functions, calls, Counter(t for tree in trees for b in blocks(tree) for t in printed_templates(b)))


def blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """Yield every block of statements of a module."""
    for node in nodes(tree):
        if isinstance(node, (ast.expr, ast.operator, ast.cmpop, ast.arg, ast.keyword)):
            continue
        for body in (getattr(node, "body", None), getattr(node, "orelse", None), getattr(node, "finalbody", None)):
            if isinstance(body, list):
                yield body


def passed_over(block: list[ast.stmt], at: int, known: Listing, log: LogText) -> Place | None:
    """Return the log line that shows a run going past `block[at]` without entering it, None where none shows that.

    What the guarded block prints in any case is missing, while lines that stand before and after it are there.
    """
    guarded = block[at]
    assert isinstance(guarded, ast.If)
    own = [template for template in printed_templates(guarded.body) if known.everywhere[template] == 1]
    if not own or any(find_line(template, log) is not None for template in own):
        return None
    before = [line for statement in block[:at] for line in _lines_of(statement, known, log)]
    after = [line for statement in block[at + 1 :] for line in _lines_of(statement, known, log)]
    later = [line for line in after if before and line[1] > max(number for _, number in before)]
    return later[0] if later else None


def _lines_of(statement: ast.stmt, known: Listing, log: LogText) -> Iterator[Place]:
    """Yield the log lines that a statement of a block printed, as far as only it can have printed them."""
    for body in _nested([statement]):
        for template in printed_templates(body):
            line = find_line(template, log) if known.everywhere[template] == 1 else None
            if line is not None:
                yield line


def entered(body: list[ast.stmt], known: Listing, text: LogText, depth: int = 2) -> Place | None:
    """Return a log line that only this block can have printed: by a call in it, or in a function only it calls."""
    for block in _nested(body):
        for template in printed_templates(block):
            if known.everywhere[template] == 1:
                line = find_line(template, text)
                if line is not None:
                    return line
    if depth:
        for statement in body:
            for node in nodes_of(statement, ast.Call):
                called = known.functions.get(_called(node))
                if called is not None and known.calls[called.name] == 1:
                    line = entered(called.body, known, text, depth - 1)
                    if line is not None:
                        return line
    return None


def _called(node: ast.Call) -> str:
    """Return the name that is called; functools.partial(f, ...) stands for f, and calling what it makes for nothing."""
    name = _name(node.func)
    return _name(node.args[0]) if name == "partial" and node.args else name


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _nested(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    yield body
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            continue
        for name in ("body", "orelse", "finalbody"):
            nested = getattr(statement, name, None)
            if isinstance(nested, list) and nested and isinstance(nested[0], ast.stmt):
                yield from _nested(nested)


def shown_texts(tree: ast.Module, text: LogText) -> Iterator[tuple[ast.expr, Place]]:
    """Yield (condition, log line) of texts that a print holds only under a condition, and that a log shows.

    The choice stands inside an f-string: a text chosen elsewhere, a file pattern, may be printed for another reason.
    """
    for node in (choice for whole in nodes_of(tree, ast.JoinedStr) for choice in nodes_of(whole, ast.IfExp)):
        parts = "".join(fragments(node.body) or []).split("\0")
        if max((len(part.strip()) for part in parts), default=0) < MIN_FRAGMENT:
            continue
        line = find_line(tuple(parts), text)
        if line is not None:
            yield node.test, line
