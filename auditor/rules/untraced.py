"""What a clearance is worth where a log carries the claim on a line that no print of the script was seen to make.

Another metric was looked at in its stead. Where everything that the script prints breaks no rule, so does the claim,
whichever it is; where anything in it does, or could not be followed, nothing is known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from auditor.frontend.walk import nodes_of
from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind
from auditor.model.finding import Finding
from auditor.model.source import Program, Span
from auditor.rules.context import RuleContext
from auditor.rules.pg903_unreached_training_call import unreached


def untraced(known: RuleContext, beside: Iterable[str]) -> Iterator[Finding]:
    """Yield UNPROVEN where the claimed metric was not found and may be another than the one that was looked at.

    `beside` are classes that only other metrics of the program have.
    """
    analysis = known.analysis
    if analysis is None or analysis.headline is None or not analysis.headline.untraced:
        return
    why = next(_doubts(known, analysis, beside), None)
    carrier = known.evidence.headline.metric
    if why is not None and carrier is not None:
        yield known.unproven(
            f"the claimed number stands at {carrier.file}:{carrier.line} ({carrier.name}), which no print that was "
            f"followed makes, so that the metric of {analysis.headline.function} was looked at instead; {why}"
        )


def _doubts(known: RuleContext, analysis: Analysis, beside: Iterable[str]) -> Iterator[str]:
    """Say why the claimed metric may have come about in another way than those that were followed."""
    standing = known.edition.standing
    broken = [name for name in beside if standing.get(name, "legal") != "legal"]
    if broken:
        yield f"the script also holds {', '.join(broken)}"
    notes = analysis.trace.notes
    opaque = [note for note in notes if note.kind is Kind.DYNAMIC and not note.info.get("process")]
    if opaque:
        yield f"the script runs code that was not read ({opaque[0].text}, line {opaque[0].span.line})"
    reached = analysis.trace.reached.union(*(other.analysis.trace.reached for other in analysis.beside))
    missed = _callable(known.program, unreached(known.program, reached)) if known.program is not None else []
    if missed:
        yield f"the script trains at line {missed[0].line}, which no run that was followed comes to"
    own = known.evidence.code_bytes
    logged = {row.code_bytes for row in known.evidence.seeds if row.code_bytes is not None}
    if own is not None and logged and own not in logged:
        yield f"the logs are of code of {min(logged):,} bytes, the code as shipped has {own:,}"


def _callable(program: Program, spans: list[Span]) -> list[Span]:
    """Leave out what stands in functions that nothing in the program names: no run comes to them."""
    trees = {m.file: m.tree for m in (program.main, *program.helpers) if m.tree is not None}
    used = {n.id for tree in trees.values() for n in nodes_of(tree, ast.Name)}
    used |= {n.attr for tree in trees.values() for n in nodes_of(tree, ast.Attribute)}
    dead = [
        (file, node.lineno, node.end_lineno or node.lineno)
        for file, tree in trees.items()
        for node in nodes_of(tree, ast.FunctionDef)
        if node.name not in used and not node.name.startswith("__")
    ]
    return [s for s in spans if not any(s.file == file and first <= s.line <= last for file, first, last in dead)]
