"""PG204: a byte-level model is mixed with the network's token probabilities (disputed)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind
from auditor.model.finding import Finding, Pass, PathStep
from auditor.model.source import Program, Span
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import printed_step

_C_SHIFT = re.compile(r"<<\s*8\b|\*\s*256\b")
_C_LOG = re.compile(r"\blog2?f?\s*\(")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where code that is handed the losses keeps counts under contexts of bytes."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None or ctx.program is None:
        return
    for node, name, span in (*analysis.trace.consumers, *_scoring_function(analysis, ctx.program)):
        shift = _byte_context(node)
        if shift is not None and _takes_logarithm(node):
            place = Span(span.file, span.layer, shift)
            yield _finding(ctx, analysis, name, place, "an interpreted function")
            return
    for note in analysis.trace.notes:
        if note.kind is Kind.NATIVE and _native_byte_model(ctx.program):
            yield _finding(ctx, analysis, note.function, note.span, "native code")
            return


def _scoring_function(analysis: Analysis, program: Program) -> Iterator[tuple[ast.AST, str, Span]]:
    """Yield the syntax of the function that scores the headline, wherever it stands."""
    headline = analysis.headline
    if headline is None or headline.span is None:
        return
    for module in (program.main, *program.helpers):
        if module.tree is None or (module.file, module.layer) != (headline.span.file, headline.span.layer):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and node.lineno == headline.span.line:
                yield node, headline.function, headline.span


def _finding(ctx: RuleContext, analysis: Analysis, name: str, place: Span, where: str) -> Finding:
    text = f"{name} mixes the losses with counts kept under byte contexts ({where}, line {place.line})"
    return ctx.violation(
        text,
        place,
        (PathStep("SCORE", place, name, "shifts a context by one byte and mixes"), *printed_step(analysis)),
        classes=ctx.card.classes,
    )


def _byte_context(node: ast.AST) -> int | None:
    """Return the line where a context is shifted by one byte, or where a uniform distribution over bytes is used."""
    for part in ast.walk(node):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div) and _is_256(part.right):
            return part.lineno
        if isinstance(part, ast.BinOp) and isinstance(part.op, (ast.BitOr, ast.Add, ast.BitXor)):
            for side in (part.left, part.right):
                for inner in ast.walk(side):
                    if isinstance(inner, ast.BinOp) and _is_byte_shift(inner):
                        return part.lineno
    return None


def _is_256(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (256, 256.0)


def _is_byte_shift(node: ast.BinOp) -> bool:
    constants = [v.value for c in (node.left, node.right) for v in ast.walk(c) if isinstance(v, ast.Constant)]
    if isinstance(node.op, ast.LShift):
        return 8 in constants
    return isinstance(node.op, ast.Mult) and (256 in constants or 257 in constants)


def _takes_logarithm(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call)
        and (part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")).startswith("log")
        for part in ast.walk(node)
    )


def _native_byte_model(program: Program) -> bool:
    """Say whether C source that the script carries as a string keeps byte contexts and takes logarithms."""
    if program.main.tree is None:
        return False
    texts = [
        part.value
        for module in (program.main, *program.helpers)
        if module.tree is not None
        for part in ast.walk(module.tree)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and len(part.value) > 400
    ]
    return any(_C_SHIFT.search(text) and _C_LOG.search(text) and "uint8_t" in text for text in texts)
