"""PG005: code runs that could not be decoded without running it."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield an UNPROVEN finding per opaque place of the script and of the modules that it imports."""
    if ctx.program is None:
        return
    found = False
    for module in (ctx.program.main, *ctx.program.helpers):
        for opaque in module.unpacked.opaque:
            found = True
            yield ctx.unproven(f"{module.file}: {opaque.reason}; what it runs is not part of this audit", opaque.span)
    layers = ctx.program.main.unpacked.layers
    if not found and len(layers) > 1:
        steps = " -> ".join("+".join(layer.codecs) or "text" for layer in layers[1:])
        yield ctx.established(f"the shim was decoded without running it: {steps}, {len(layers[-1].raw):,} bytes")
