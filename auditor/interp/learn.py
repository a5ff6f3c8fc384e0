"""What each event had learned from, computed once over the whole graph.

For every node five regions of validation positions are known:
- `losses`: positions whose loss flows into it and has not gone through a backward pass;
- `read`: positions that a forward pass behind it was given as input;
- `trained`: positions whose loss was descended on by the weights behind it;
- `cached`: positions that were written into a cache behind it;
- `fitted`: positions that reached weights behind it without a gradient (calibration, selection by loss, evolution).
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.interp.graph import Kind, Node
from auditor.interp.region import EMPTY, Region


@dataclass(frozen=True, slots=True)
class Learned:
    """The five regions of one node, and whether training data was descended on behind it."""

    losses: Region = EMPTY
    read: Region = EMPTY
    trained: Region = EMPTY
    cached: Region = EMPTY
    fitted: Region = EMPTY
    train_data: bool = False
    """A TRAIN loss flows into it and has not gone through a backward pass."""
    trained_on_train: bool = False
    """The weights behind it descended on a TRAIN loss."""
    unplaced: bool = False
    """A loss of validation tokens at unknown positions flows into it and has not gone through a backward pass."""
    trained_unplaced: bool = False
    """The weights behind it descended on such a loss."""


NOTHING = Learned()


def learn(nodes: list[Node]) -> list[Learned]:
    """Return what every node had learned, by node index. Nodes are in order of time, so one pass is enough."""
    made: list[Learned] = []
    training = {loop for node in nodes if node.kind is Kind.BACKWARD for loop, _ in node.loops}
    for node in nodes:
        if node.info.get("keeps") and not training.isdisjoint(loop for loop, _ in node.loops):
            # A loop that trains: what it does with its own validation losses is not a search over weights.
            made.append(NOTHING)
        else:
            made.append(_of(node, made))
    return made


def _of(node: Node, made: list[Learned]) -> Learned:
    parents = _distinct(node.parents, made)
    states = _distinct(node.state, made)
    if not parents and not states and not node.region and not node.info.get("train") and not node.info.get("unplaced"):
        return NOTHING
    if node.kind in _PASSING and not states and len(parents) == 1:
        return parents[0]
    both = [*parents, *states]
    losses = _join([p.losses for p in parents], node.region if node.kind is Kind.LOSS else EMPTY)
    if node.kind is Kind.REDUCE:
        # A sum over a slice or under a mask: only what is left in it flows on.
        losses = losses & node.region
    read = _join([p.read for p in parents], node.region if node.kind is Kind.FORWARD else EMPTY)
    trained = _join([p.trained for p in both])
    cached = _join([p.cached for p in both], node.region if node.kind is Kind.CACHE_WRITE else EMPTY)
    fitted = _join([p.fitted for p in both])
    train_data = any(p.train_data for p in parents) or (node.kind is Kind.LOSS and bool(node.info.get("train")))
    on_train = any(p.trained_on_train for p in both)
    unplaced = any(p.unplaced for p in parents) or (node.kind is Kind.LOSS and bool(node.info.get("unplaced")))
    on_unplaced = any(p.trained_unplaced for p in both)
    if node.kind is Kind.BACKWARD:
        done = on_train or train_data
        return Learned(
            EMPTY, EMPTY, _join([trained, losses]), cached, fitted, False, done, False, on_unplaced or unplaced
        )
    if node.kind in (Kind.FORWARD, Kind.CACHE_READ):
        fitted = _join([fitted, *[s.read for s in states], *[s.losses for s in states]])
    return Learned(losses, read, trained, cached, fitted, train_data, on_train, unplaced, on_unplaced)


_PASSING = frozenset((Kind.OP, Kind.RETURN, Kind.SELECT, Kind.PARAM, Kind.PARAM_WRITE, Kind.STEP, Kind.SERIALIZE))
"""Events that hand on what they were made from and add nothing of their own."""


def _distinct(nodes: tuple[Node, ...], made: list[Learned]) -> list[Learned]:
    return list({id(item): item for item in (made[node.index] for node in nodes) if item is not NOTHING}.values())


def _join(regions: list[Region], own: Region = EMPTY) -> Region:
    kept = {id(region): region for region in (*regions, own) if region.spans}
    if not kept:
        return EMPTY
    if len(kept) == 1:
        return next(iter(kept.values()))
    values = list(kept.values())
    if all(region.spans == values[0].spans for region in values[1:]):
        return values[0]
    return Region.union(values)
