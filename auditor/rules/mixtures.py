"""What the rules on mixtures share: how the table entries that a score is blended with were found."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.learn import Learned
from auditor.model.finding import PathStep
from auditor.rules.evidence_path import steps_of


@dataclass(frozen=True, slots=True)
class Mixture:
    """One blend of a score with values looked up in a table of tokens."""

    blend: Node
    target_keyed: tuple[Node, ...]
    """Reads whose key mixes the realised token with its context (a hash of both)."""
    exact: tuple[Node, ...]
    """Reads that pick the realised token's entry out of a distribution kept per context."""
    context: tuple[Node, ...]
    """Reads that do not know the realised token."""


def mixtures(analysis: Analysis) -> list[Mixture]:
    """Return the blends behind the headline whose tables hold tokens, with their reads told apart."""
    if analysis.composition is None:
        return []
    learned = analysis.trace.learned
    filled = {n.info.get("table") for n in analysis.trace.nodes if n.kind is Kind.CACHE_WRITE}
    found: list[Mixture] = []
    for blend in analysis.composition.blends:
        reads = [n for n in _reads(blend) if _holds_tokens(n, learned, filled)]
        if not reads:
            continue
        target = [n for n in reads if blend.info.get("keyed") and n.info.get("mixed") and _knows(n, blend)]
        exact = [n for n in reads if n not in target and n.info.get("exact")]
        context = [n for n in reads if n not in target and n not in exact]
        found.append(Mixture(blend, tuple(target), tuple(exact), tuple(context)))
    return found


def _knows(read: Node, blend: Node) -> bool:
    """Say whether a key of the read holds the very positions that are blended."""
    return any(array.size and bool((blend.region.spans or ()) and array.max() >= 0) for array in read.info["keyed"])


def _reads(blend: Node) -> list[Node]:
    found = [n for n in ancestors(blend, into_state=False, cap=2_000) if n.kind is Kind.CACHE_READ]
    return sorted(found, key=lambda n: n.index)


def _holds_tokens(read: Node, learned: list[Learned], filled: set[object]) -> bool:
    """Say whether the table of a read is filled with tokens, by then or (the sample may not reach that far) later."""
    if learned[read.index].cached or read.info.get("table") in filled:
        return True
    return any(
        n.kind is Kind.LOAD and n.info.get("split") == "train"
        for s in read.state
        for n in ancestors(s, into_state=True, cap=400)
    )


def mixture_path(read: Node, blend: Node, analysis: Analysis) -> tuple[PathStep, ...]:
    """Describe a mixture: the write that filled the table, the look-up, the blend, the print."""
    writes = [n for s in read.state for n in ancestors(s, into_state=False, cap=400) if n.kind is Kind.CACHE_WRITE]
    return steps_of([*writes[:1], read, blend], analysis)
