"""PG003: the script is empty, does nothing, or is a Python program on no version."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from auditor.model.finding import Effect, Finding, Pass
from auditor.model.source import Module, Span
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a finding for a script without code and for every place that no Python version parses."""
    if ctx.program is None:
        return
    main = ctx.program.main
    broken = False
    for module in (main, *ctx.program.helpers):
        for problem in module.problems:
            if problem.minimum is not None:
                continue
            broken = True
            message = (
                f"{module.file}{_layer(module, problem.span.layer)} parses on no Python version that was asked: "
                f"line {problem.span.line}, column {problem.span.column}: {problem.message}"
            )
            yield ctx.violation(message, problem.span, effect=None if module is main else Effect.REVIEW)
    if broken:
        return
    if main.tree is None:
        reason = f"{main.file} could not be parsed here: {main.host_error}"
        yield ctx.unproven(reason, Span(main.file, main.layer, 1))
    elif not any(not isinstance(node, (ast.Expr, ast.Pass)) for node in main.tree.body) and not main.unpacked.opaque:
        yield ctx.violation(f"{main.file} holds no code", Span(main.file, main.layer, 1))
    else:
        yield ctx.established(f"{main.file} is a Python program of {len(main.tree.body)} top-level statements")


def _layer(module: Module, index: int) -> str:
    if index == 0:
        return ""
    return f" (decoded layer {index})"
