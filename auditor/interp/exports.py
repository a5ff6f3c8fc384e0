"""Which weights a number was scored with: those that training left, or those that the export made of them.

An export rounds weights and saves them; what it saves is the artifact. Weights that were rounded hand that on to
everything that is made of them: to what is read back, and to what is adapted afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.scores import Composition

_ROUNDED, _FILED, _STRANGE = 1, 2, 4
"""What lies behind an event: a rounding of weights, a file of unknown content, a call that is not modelled."""
_STRANGE_KINDS = frozenset((Kind.UNMODELLED, Kind.NATIVE, Kind.DYNAMIC))
_WEIGHTS = frozenset((Kind.PARAM, Kind.STEP, Kind.PARAM_WRITE))
"""Events that made or changed a weight; two sets of weights that share one are of the same training."""
_ENDS = _WEIGHTS | {Kind.FORWARD}
"""Where the way back from a loss has reached a network, or weights that are used beside one."""
_REACH = 400
"""Events between a loss and the weights that it was made with."""


@dataclass(frozen=True, slots=True)
class Export:
    """What a script saves of its weights, beside a number that was scored with the weights before that."""

    loss: Node
    """The last loss of the number."""
    weights: Node
    """The last change of the weights that it was scored with."""
    rounding: Node
    saved: Node | None
    """Where what was rounded is saved; None where it is packed in a way that is not followed."""
    later: bool
    """True where the export was over already: the number was scored with what had been kept from before."""


def export_of(nodes: list[Node], composition: Composition) -> Export | None:
    """Return the export beside which the number stands; None where its weights went through one, or are not known."""
    losses = [score.loss for score in composition.scores]
    behind = _behind(nodes)
    scored = _weights(losses)
    if not scored or any(behind[node.index] & (_ROUNDED | _FILED | _STRANGE) for node in scored):
        return None
    last = max(losses, key=lambda node: node.index)
    found = _rounding(nodes, behind, frozenset(node.index for node in _made_of(scored) if node.kind in _WEIGHTS))
    if found is None:
        return None
    rounding, saved = found
    later = last.index > rounding.index
    if later and not _followed(nodes, behind, rounding):
        return None
    return Export(last, max(scored, key=lambda node: node.index), rounding, saved, later)


def rounded_before(nodes: list[Node], composition: Composition) -> tuple[Node, Node] | None:
    """Return the rounding that the scored weights went through and where the same is saved; None without one."""
    behind = _behind(nodes)
    scored = [node for node in _weights([score.loss for score in composition.scores]) if behind[node.index] & _ROUNDED]
    roundings = {node.index for node in _made_of(scored) if node.info.get("rounded")}
    for saved in reversed([n for n in nodes if n.kind is Kind.SERIALIZE and behind[n.index] & _ROUNDED]):
        shared = [node for node in _made_of([saved]) if node.index in roundings]
        if shared:
            return max(shared, key=lambda node: node.index), saved
    return None


def _behind(nodes: list[Node]) -> bytearray:
    """Return what lies behind every event, by its index. Nodes are in order of time, so one pass is enough."""
    known = bytearray(len(nodes))
    for node in nodes:
        bits = _ROUNDED if node.info.get("rounded") else 0
        if node.kind is Kind.LOAD and node.info.get("saved"):
            bits |= _FILED
        elif node.kind in _STRANGE_KINDS:
            bits |= _STRANGE
        for parent in node.parents:
            bits |= known[parent.index]
        known[node.index] = bits
    return known


def _weights(losses: Iterable[Node]) -> list[Node]:
    """Return the state of the networks, and the weights beside them, that losses were made with, each event once."""
    found: dict[int, Node] = {}
    for loss in losses:
        for node in ancestors(loss, into_state=False, stop=_ENDS, cap=_REACH):
            if node.kind is Kind.FORWARD:
                found.update({state.index: state for state in node.state})
            elif node.kind in _ENDS:
                found[node.index] = node
    return list(found.values())


def _made_of(nodes: Iterable[Node]) -> list[Node]:
    """Return events and everything they were made from, each once."""
    found: dict[int, Node] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node.index not in found:
            found[node.index] = node
            stack.extend(node.parents)
    return list(found.values())


def _rounding(nodes: list[Node], behind: bytearray, origin: frozenset[int]) -> tuple[Node, Node | None] | None:
    """Return the last rounding of weights of this training that was saved, and where; else the last of them at all."""
    for saved in reversed([n for n in nodes if n.kind is Kind.SERIALIZE and behind[n.index] & _ROUNDED]):
        content = _made_of([saved])
        if any(node.index in origin for node in content):
            return max((n for n in content if n.info.get("rounded")), key=lambda node: node.index), saved
    rounding = next((n for n in reversed(nodes) if n.info.get("rounded")), None)
    if rounding is None or origin.isdisjoint(node.index for node in _made_of([rounding])):
        return None
    return rounding, None


def _followed(nodes: list[Node], behind: bytearray, rounding: Node) -> bool:
    """Say whether some other score was made with rounded weights: then the way of these back into a model is seen."""
    after = (node for node in nodes if node.kind is Kind.LOSS and node.index > rounding.index)
    losses = [node for node in after if node.region or node.info.get("unplaced")]
    return any(behind[node.index] & _ROUNDED for node in _weights(losses))
