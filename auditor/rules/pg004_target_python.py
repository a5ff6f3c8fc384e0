"""PG004: the script does not parse on the Python version that the edition targets, though newer ones parse it."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass, PathStep
from auditor.model.source import Module, SyntaxProblem
from auditor.rules.context import RuleContext

_SHOWN = 9


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield one finding per module with every place, its rewrite and the lowest version that parses it."""
    if ctx.program is None:
        return
    target = ctx.edition.target_python
    clean = True
    for module in (ctx.program.main, *ctx.program.helpers):
        newer = [problem for problem in module.problems if problem.minimum is not None]
        clean = clean and not module.problems
        if newer:
            steps = tuple(PathStep("SYNTAX", p.span, "", _step(p)) for p in newer)
            yield ctx.violation(_message(ctx, module, newer), newer[0].span, steps)
    if clean and ctx.program.main.tree is not None:
        layers = len(ctx.program.main.unpacked.layers)
        decoded = f"its {layers - 1} decoded layer" + ("s" if layers > 2 else "")
        what = "the script parses" if layers == 1 else f"the script and {decoded} parse"
        yield ctx.established(f"{what} on Python {target} (built-in rules, whatever Python runs pgolf)")


def _message(ctx: RuleContext, module: Module, newer: list[SyntaxProblem]) -> str:
    minimum = max((p.minimum or "" for p in newer), key=lambda text: [int(part) for part in text.split(".")])
    first = newer[0]
    places = ", ".join(f"{p.span.line}:{p.span.column}" for p in newer[:_SHOWN])
    more = f" and {len(newer) - _SHOWN} more" if len(newer) > _SHOWN else ""
    parts = [
        f"{_where(module, first)} line {first.span.line}, column {first.span.column}: {first.message}.",
        f"It needs Python >= {minimum}; the target is {ctx.edition.target_python}.",
        f"Places (line:column): {places}{more}.",
        f"Offending line: {first.source_line.strip()}",
    ]
    if first.rewrite is not None:
        parts.append(f"Rewritten: {first.rewrite.strip()}")
    elif first.minimum == "3.12":
        parts.append("Move the expression into a variable in front of the f-string.")
    if first.span.layer:
        parts.append("The shim has to be packed again afterwards; a minifier run under 3.10 or 3.11 avoids this.")
    parts.append(_claim(ctx))
    return " ".join(parts)


def _where(module: Module, problem: SyntaxProblem) -> str:
    layer = module.unpacked.layers[problem.span.layer]
    if not layer.index:
        return module.file
    return f"{module.file} [decoded layer {layer.index}: {'+'.join(layer.codecs) or 'text'}, {len(layer.raw):,} bytes]"


def _step(problem: SyntaxProblem) -> str:
    rewritten = f"; write: {problem.rewrite.strip()}" if problem.rewrite else ""
    return f"{problem.message}, needs Python {problem.minimum}{rewritten}"


def _claim(ctx: RuleContext) -> str:
    """Say what the target rests on and what this submission's own logs print."""
    seen = sorted({row.python for row in ctx.evidence.seeds if row.python})
    own = f"This submission's own logs print Python {', '.join(seen)}." if seen else "Its own logs print no version."
    return (
        f"That the evaluation image runs {ctx.edition.target_python} is a reviewer's claim; no contest document gives "
        f"a version, and most logs that print one print 3.12. {own}"
    )
