"""PG402: code that the script loads from other shipped files; it is counted, and named."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from auditor.model.finding import Effect, Finding, Pass
from auditor.model.source import Module, Span
from auditor.rules.context import RuleContext
from auditor.rules.measured import listing

_IMPORTERS = ("import_module", "__import__")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """List the loaded files beside the script with their bytes; a computed import of shipped code is unproven."""
    if ctx.program is None or ctx.submission.script is None:
        return
    modules = (ctx.program.main, *ctx.program.helpers)
    paths = sorted({module.file for module in ctx.program.helpers} | {n.file for n in ctx.program.natives})
    found = [(path, entry.size) for path in paths if (entry := ctx.submission.file(path)) is not None]
    if found:
        total = sum(size for _, size in found)
        yield ctx.violation(
            f"{total:,} bytes of code that the script can load stand outside it: "
            + listing(f"{path} ({size:,})" for path, size in found)
            + "; they are counted here",
            effect=Effect.NOTE,
        )
    known = {ctx.submission.script, *paths}
    beside = sorted(e.path for e in ctx.submission.files if e.path.endswith(".py") and e.path not in known)
    computed = next((span for module in modules for span in _computed_imports(module)), None) if beside else None
    if computed is not None:
        yield ctx.unproven(
            f"a module is imported by a name that the run puts together; whether that is one of the shipped "
            f"{listing(beside)} is unknown, so they are neither counted nor followed",
            computed,
        )
    elif not found:
        yield ctx.established("the script loads no other shipped code")


def _computed_imports(module: Module) -> Iterator[Span]:
    """Yield the imports of a module's payload whose name is no literal."""
    layer = module.unpacked.payload.index
    for node in ast.walk(module.tree) if module.tree is not None else ():
        if not isinstance(node, ast.Call) or not node.args or isinstance(node.args[0], ast.Constant):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in _IMPORTERS:
            yield Span(module.file, layer, node.lineno, node.col_offset + 1)
