"""Where in the submission's files the scores of a run in miniature were added up."""

from __future__ import annotations

import ast

from auditor.model.source import Module, Program, Span
from auditor.prover.proof import MetricTested


def span_of(program: Program | None, metric: MetricTested) -> Span | None:
    """Return the place that `metric` names: in the module whose function of that name covers the line.

    None where no module has such a function, or where there is no program.
    """
    if program is None or metric.line < 1:
        return None
    for module in (program.main, *program.helpers):
        if module.tree is not None and covers(module.tree, metric):
            return place(module, metric.line)
    return None


def covers(tree: ast.Module, metric: MetricTested) -> bool:
    """Say whether `tree` has the metric's function at its line; code outside functions is the script's own."""
    name = metric.function.rsplit(".", 1)[-1]
    if name == "<module>":
        return True
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name == name
        and node.lineno <= metric.line <= (node.end_lineno or node.lineno)
        for node in ast.walk(tree)
    )


def place(module: Module, line: int) -> Span:
    return Span(module.file, module.unpacked.payload.index, line)
