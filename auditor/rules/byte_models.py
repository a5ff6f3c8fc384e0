"""Byte-level models in code that is handed losses: found by structure, in Python and in carried C source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind
from auditor.model.source import Program, Span

_C_SHIFT = re.compile(r"<<\s*8\b|\*\s*256\b")
_COMMON = frozenset({"forward", "__init__", "main", "step", "log", "log0", "print", "parameters"})
"""Names that say nothing of what is called."""
_C_LOG = re.compile(r"\blog2?f?\s*\(")


def byte_model(analysis: Analysis, program: Program) -> tuple[str, Span, str] | None:
    """Return (function, place, where it runs) of a byte model that the headline's losses are mixed with."""
    for node, name, span in (*analysis.trace.consumers, *_scoring_function(analysis, program)):
        lines = (line for line in map(_byte_context, (node, *_called(node, program))) if line is not None)
        shift = next(lines, None)
        if shift is not None and _takes_logarithm(node):
            return name, Span(span.file, span.layer, shift), "an interpreted function"
    for note in analysis.trace.notes:
        if note.kind is Kind.NATIVE and _native_byte_model(program):
            return note.function, note.span, "native code"
    return None


def _scoring_function(analysis: Analysis, program: Program) -> Iterator[tuple[ast.AST, str, Span]]:
    """Yield the syntax of the function that scores the headline, wherever it stands."""
    headline = analysis.headline
    if headline is None or headline.span is None:
        return
    for module in (program.main, *program.helpers):
        if module.tree is None or (module.file, module.layer) != (headline.span.file, headline.span.layer):
            continue
        for node in nodes_of(module.tree, ast.FunctionDef):
            if node.lineno == headline.span.line:
                yield node, headline.function, headline.span


def _called(node: ast.AST, program: Program) -> Iterator[ast.AST]:
    """Yield the submitted functions and methods that a function calls by name."""
    names = {
        part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
        for part in nodes_of(node, ast.Call)
    }
    for module in (program.main, *program.helpers):
        for part in nodes_of(module.tree, ast.FunctionDef) if module.tree is not None else ():
            if part.name in names and part.name not in _COMMON:
                yield part


def _byte_context(node: ast.AST) -> int | None:
    """Return the line where a context is shifted by one byte, or where a uniform distribution over bytes is used."""
    for part in nodes_of(node, ast.BinOp):
        if isinstance(part.op, ast.Div) and _is_256(part.right):
            return part.lineno
        if isinstance(part.op, (ast.BitOr, ast.Add, ast.BitXor)):
            for side in (part.left, part.right):
                for inner in nodes_of(side, ast.BinOp):
                    if _is_byte_shift(inner):
                        return part.lineno
    return None


def _is_256(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (256, 256.0)


def _is_byte_shift(node: ast.BinOp) -> bool:
    constants = [v.value for c in (node.left, node.right) for v in nodes(c) if isinstance(v, ast.Constant)]
    if isinstance(node.op, ast.LShift):
        return 8 in constants
    return isinstance(node.op, ast.Mult) and (256 in constants or 257 in constants)


def _takes_logarithm(node: ast.AST) -> bool:
    return any(
        (part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")).startswith("log")
        for part in nodes_of(node, ast.Call)
    )


def _native_byte_model(program: Program) -> bool:
    """Say whether C source that the script carries as a string keeps byte contexts and takes logarithms."""
    if program.main.tree is None:
        return False
    texts = [
        part.value
        for module in (program.main, *program.helpers)
        if module.tree is not None
        for part in nodes_of(module.tree, ast.Constant)
        if isinstance(part.value, str) and len(part.value) > 400
    ]
    return any(_C_SHIFT.search(text) and _C_LOG.search(text) and "uint8_t" in text for text in texts)
