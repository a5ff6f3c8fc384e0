"""PG903: training calls at lines that the interpretation never reached; a cross-check of the engine by text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from auditor.frontend.walk import nodes_of
from auditor.model.finding import Effect, Finding, Pass
from auditor.model.source import Program, Span
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield an UNPROVEN note that lists backward passes and gradient calls which no interpreted path reaches."""
    analysis, program = ctx.analysis, ctx.program
    if analysis is None or program is None:
        return
    missed = unreached(program, analysis.trace.reached)
    if missed:
        lines = ", ".join(str(span.line) for span in missed[:8])
        calls = "1 training call stands" if len(missed) == 1 else f"{len(missed)} training calls stand"
        yield ctx.unproven(
            f"{calls} in code that the run as reconstructed does not reach (lines {lines})",
            missed[0],
            effect=Effect.NOTE,
        )


def unreached(program: Program, reached: frozenset[tuple[str, int, int]]) -> list[Span]:
    """Return where a program trains that a run which reached those (file, layer, line) did not come to."""
    missed: list[Span] = []
    for module in (program.main, *program.helpers):
        for node in nodes_of(module.tree, ast.Call) if module.tree is not None else ():
            learns = isinstance(node.func, ast.Attribute) and node.func.attr in ("backward", "grad")
            if learns and (module.file, module.layer, node.lineno) not in reached:
                missed.append(Span(module.file, module.layer, node.lineno, node.col_offset + 1))
    return missed
