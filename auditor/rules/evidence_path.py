"""From events of the trace to the numbered steps of an evidence path."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.leaks import Leak
from auditor.model.finding import PathStep

_WORDS = {
    Kind.LOAD: "reads {text}",
    Kind.FORWARD: "runs {text} on positions {region}",
    Kind.LOSS: "computes the loss of positions {region}",
    Kind.BACKWARD: "differentiates the loss of these positions",
    Kind.STEP: "applies the gradient to {count} parameter tensors",
    Kind.PARAM_WRITE: "writes parameters ({text})",
    Kind.CACHE_WRITE: "writes positions {region} into a table",
    Kind.CACHE_READ: "looks up a table at positions {region}",
    Kind.SELECT: "chooses by {text}",
    Kind.RETURN: "returns from {text}",
    Kind.OP: "{text}",
}


def step(node: Node, message: str = "", event: str = "") -> PathStep:
    """Describe one event; `message` replaces the standard words."""
    words = message or _WORDS.get(node.kind, "{text}").format(
        text=node.text or node.kind.value, region=node.region, count=node.info.get("count", "")
    )
    return PathStep(event or node.kind.value, node.span, node.function, words)


def load_of(node: Node) -> Node | None:
    """Return the event that read the validation tokens behind an event."""
    target = node.info.get("target")
    roots = [node, *([target] if isinstance(target, Node) else [])]
    for root in roots:
        for found in ancestors(root, into_state=False, cap=2_000):
            if found.kind is Kind.LOAD and found.region:
                return found
    return None


def leak_path(leak: Leak, analysis: Analysis) -> tuple[PathStep, ...]:
    """Describe a leak from the tokens it reads to the number it prints."""
    steps: list[PathStep] = []
    losses = [p for p in leak.learned.parents if p.kind is Kind.LOSS] or _losses_behind(leak.learned)
    load = load_of(losses[0]) if losses else load_of(leak.score)
    if load is not None:
        steps.append(step(load))
    if losses:
        steps.append(step(losses[0]))
    steps.append(step(leak.learned))
    if leak.applied is not None:
        steps.append(step(leak.applied))
    overlap = f"scores positions {leak.overlap}, which had been learned from at step {len(steps)}"
    steps.append(step(leak.score, overlap, "SCORE"))
    steps.extend(printed_step(analysis))
    return tuple(steps)


def _losses_behind(node: Node) -> list[Node]:
    found = [n for n in ancestors(node, into_state=False, cap=800) if n.kind is Kind.LOSS and n.region]
    return sorted(found, key=lambda n: n.index)[:1]


def printed_step(analysis: Analysis) -> list[PathStep]:
    """Return the last step of every path: where the number is printed."""
    headline = analysis.headline
    if headline is None or headline.printed is None:
        return []
    shown = f"{headline.bpb}" if headline.bpb is not None else "the number"
    return [PathStep("PRINT", headline.printed, headline.function, f"prints {shown}")]


def steps_of(nodes: Iterable[Node], analysis: Analysis) -> tuple[PathStep, ...]:
    """Describe events in order of time, then the print."""
    return (*[step(node) for node in sorted(nodes, key=lambda n: n.index)], *printed_step(analysis))
