"""What arithmetic inside a network does to reach: elementwise, along an axis, and products of tensors."""

from __future__ import annotations

from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.place_layout import ahead, seen_here
from auditor.interp.places import FLAT, KEY, NEVER, PLAIN, TIME, Axis, Flow, broadcast, flows_in, is_zero, may_mask
from auditor.interp.values import Sym


def combined(m: Machine, operands: tuple[Any, ...], *, scales: bool, asks: bool = False) -> Any:
    """Combine values element by element; `scales` where a zero in one takes the others out, `asks` for masks."""
    flows = flows_in(operands)
    axes: tuple[Axis, ...] | None = flows[0].axes
    for operand in operands:
        other = _axes_of(operand)
        axes = broadcast(axes, other) if axes is not None and other is not None else axes
        if axes is None:
            return m.unknown(*operands)
    assert axes is not None
    best = max(flows, key=lambda flow: flow.reach)
    made = best.made(axes)
    made.tokens, made.groups = False, None
    made.loss, leaks = any(flow.loss for flow in flows), [flow.leak for flow in flows if flow.leak is not None]
    made.leak = leaks[0] if leaks else None
    informed = [flow for flow in flows if flow.reach != NEVER]
    made.closed = all(flow.closed for flow in informed) if informed else any(flow.closed for flow in flows)
    others = [value for value in operands if isinstance(value, Sym) and value is not best]
    if asks or (made.at(KEY) and (others or any(flow.closed for flow in flows))):
        made.closed = True
    if scales and any(may_mask(value, made) for value in others):
        made.closed, made.reach = True, min(made.reach, 0)
    if scales and any(is_zero(value) for value in operands):
        made.closed, made.reach = True, NEVER
    return made


def _axes_of(value: Any) -> tuple[Axis, ...] | None:
    if isinstance(value, Flow):
        return value.axes
    if isinstance(value, Sym):
        return None if value.shape is None else tuple(Axis(size) for size in value.shape)
    return ()


def chosen(m: Machine, condition: Any, first: Any, second: Any) -> Any:
    """Model where(condition, first, second): what one side alone reaches is not certain."""
    sides = flows_in((first, second))
    if not sides:
        return m.unknown(condition, first, second)
    made = combined(m, (first, second), scales=False)
    if not isinstance(made, Flow):
        return made
    made.closed = True
    made.reach = min(side.reach for side in sides) if len(sides) == 2 else min(made.reach, 0)
    return made


def folded(m: Machine, flow: Flow, dims: Any, keep: bool, words: str) -> Any:
    """Model a reduction over some axes, over all of them where `dims` is None."""
    count = len(flow.axes)
    places = range(count) if dims is None else dims if isinstance(dims, (tuple, list)) else (dims,)
    if not all(isinstance(at, int) and -count <= at < count for at in places):
        return m.unknown(flow)
    gone = {at % count for at in places} if count else set()
    axes = [Axis(1) if i in gone else axis for i, axis in enumerate(flow.axes) if keep or i not in gone]
    timed = [flow.axes[i] for i in sorted(gone) if flow.axes[i].time]
    made = flow.made(axes)
    made.tokens, made.groups = False, None
    if not timed or flow.loss or flow.reach == NEVER:
        return made
    if flow.closed or any(axis.time == KEY or axis.size is None for axis in timed) or flow.groups is not None:
        return m.unknown(flow)
    reach = flow.reach + max((axis.size or 1) - 1 for axis in timed)
    made.seen, made.reach = ahead(m, flow, reach, f"takes {words} over the whole window"), reach
    return made


def spread(m: Machine, flow: Flow, dim: Any, words: str) -> Any:
    """Model what gives every entry along an axis something of all the others: softmax, normalisation, sorting."""
    if not isinstance(dim, int) or not -len(flow.axes) <= dim < len(flow.axes):
        return m.unknown(flow)
    held = flow.axes[dim]
    made = flow.made()
    made.tokens = False
    if held.time == PLAIN or flow.reach == NEVER:
        return made
    if held.time == KEY:
        return made if dim % len(flow.axes) == len(flow.axes) - 1 else m.unknown(flow)
    if flow.closed or held.size is None or flow.at(KEY) or flow.groups is not None:
        return m.unknown(flow)
    made.seen = ahead(m, flow, flow.reach + held.size - 1, f"takes {words} over the whole window")
    made.reach = flow.reach + held.size - 1
    return made


def attended(m: Machine, query: Any, key: Any, value: Any, axis: int, *, right: int | None, words: str) -> Any:
    """Model attention over the places of `axis`; `right` places ahead are seen, all where None, none where 0."""
    if not isinstance(query, Flow) or not -len(query.axes) <= axis < len(query.axes):
        return m.unknown(query, key, value)
    made = query.made([*query.axes[:-1], Axis(value.axes[-1].size if isinstance(value, Flow) and value.axes else None)])
    made.tokens, made.closed = False, False
    held = query.axes[axis]
    if right == 0 or held.time != TIME or not isinstance(value, Flow) or len(value.axes) != len(query.axes):
        return made
    other = value.axes[axis]
    if value.closed or other.time != TIME or other.size != held.size or held.size is None or value.reach == NEVER:
        return made
    reach = value.reach + (held.size - 1 if right is None else min(right, held.size - 1))
    if reach > made.reach:
        made.reach, made.seen = reach, ahead(m, value, reach, words)
    return made


def product(m: Machine, left: Any, right: Any) -> Any:
    """Model left @ right as an einsum over named axes."""
    a, b = (len(v.axes) if isinstance(v, Flow) else len(v.shape or (0, 0)) for v in (left, right))
    if a < 2 or b < 1:
        return m.unknown(left, right)
    letters = "abcdefgh"
    batch = letters[: max(a, b, 2) - 2]
    one = batch[len(batch) - (a - 2) :] + "xy"
    if b == 1:
        return einsum(m, f"{one},y->{one[:-1]}", (left, right))
    two = batch[len(batch) - (b - 2) :] + "yz"
    return einsum(m, f"{one},{two}->{batch}xz", (left, right))


def einsum(m: Machine, equation: Any, operands: tuple[Any, ...]) -> Any:
    """Model a product of two tensors, one of which tokens went into."""
    flows = flows_in(operands)
    terms = _terms(equation)
    if terms is None or len(terms[0]) != len(operands) or len(operands) > 2 or not flows:
        return m.unknown(*operands)
    names, out = terms
    sized: dict[str, Axis] = {}
    times: list[str] = []
    for name, operand in zip(names, operands, strict=True):
        axes = operand.axes if isinstance(operand, Flow) else [Axis(None)] * len(name)
        if len(axes) != len(name) or len(set(name)) != len(name):
            return m.unknown(*operands)
        for letter, axis in zip(name, axes, strict=True):
            if axis.time and letter not in times:
                times.append(letter)
            if letter not in sized or sized[letter].size in (None, 1) or axis.time:
                sized[letter] = axis
    gone = [letter for letter in times if letter not in out]
    if len(flows) == 1 and len(operands) == 2:
        return _weighed(m, operands, flows[0], [sized[letter] for letter in out], times, gone, names)
    axes = [sized[letter] for letter in out]
    best = max(flows, key=lambda flow: flow.reach)
    made = best.made(axes)
    made.tokens = made.closed = False
    if not gone:
        return _scores(made, flows, out, times)
    return _contracted(m, made, flows, names, gone, sized)


def _terms(equation: Any) -> tuple[list[str], str] | None:
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return None
    left, out = equation.replace(" ", "").split("->")
    names = left.split(",")
    return (names, out) if all(letter in left for letter in out) and len(set(out)) == len(out) else None


def _weighed(
    m: Machine,
    operands: tuple[Any, ...],
    flow: Flow,
    axes: list[Axis],
    times: list[str],
    gone: list[str],
    names: list[str],
) -> Any:
    """Model a product with a tensor that no token went into: a weight, unless time is among what it mixes."""
    other = next(name for name, operand in zip(names, operands, strict=True) if operand is not flow)
    if gone or any(letter in other for letter in times):
        return m.unknown(*operands)
    made = flow.made(axes)
    made.tokens = False
    return made


def _scores(made: Flow, flows: list[Flow], out: str, times: list[str]) -> Flow:
    """Name the second time axis of a product of two the places that are attended to."""
    places = [i for i, letter in enumerate(out) if letter in times]
    if len(places) == 2:
        axes = list(made.axes)
        axes[places[1]] = Axis(axes[places[1]].size, KEY)
        made.axes = tuple(axes)
        made.reach, made.seen = flows[0].reach, flows[0].seen
    else:
        made.closed = any(flow.closed for flow in flows)
    made._sized()
    return made


def _contracted(
    m: Machine, made: Flow, flows: list[Flow], names: list[str], gone: list[str], sized: dict[str, Axis]
) -> Any:
    """Sum over time: attention where scores over places are contracted with values, else a sum over the window."""
    size = sized[gone[0]].size
    scores = next((flow for flow in flows if flow.at(KEY)), None)
    if len(gone) > 1 or size is None:
        return m.unknown(*flows)
    if any(flow.closed or flow.reach == NEVER for flow in flows):
        if scores is None:
            return m.unknown(*flows)
        # A mask is taken to be causal: the entry knows at least its own query.
        made.reach, made.seen = scores.reach, scores.seen
        return made
    best = max(flows, key=lambda flow: flow.reach)
    reach = best.reach + size - 1
    words = "attends to every place of the window" if scores is not None else "sums over the whole window"
    made.seen = ahead(m, best, reach, words)
    made.reach = reach
    return made


def regrouped(m: Machine, flow: Any, dim: Any, ids: Any, source: Any) -> None:
    """Model scatter_add_ along time: entries are added up by ids."""
    known = isinstance(ids, Flow) and ids.reach != NEVER and len(ids.axes) == len(flow.axes)
    along = known and isinstance(dim, int) and dim < len(flow.axes) and ids.axes[dim].time == TIME
    if not along or m.maybe:
        flow.closed, flow.groups = True, None
        flow.reach = min(flow.reach, 0) if flow.reach != NEVER else NEVER
        return
    reach = max(ids.reach, source.reach) if isinstance(source, Flow) else ids.reach
    axes = [*flow.axes[:dim], Axis(flow.axes[dim].size), *flow.axes[dim + 1 :]]
    flow.become(Flow(axes, reach))
    flow.groups = ids


def picked(m: Machine, flow: Flow, dim: Any, index: Any) -> Any:
    """Model gather: what was added up by ids and is read at the same ids knows the later places of each group."""
    if isinstance(index, Flow) and isinstance(dim, int) and -len(flow.axes) <= dim < len(flow.axes):
        if index.tokens and dim % len(flow.axes) == len(flow.axes) - 1 and not flow.axes[dim].time:
            return judged(m, flow, index, [*flow.axes[:-1], Axis(1)])
        if flow.groups is index:
            made = flow.made(
                index.axes, reach=flow.reach + 1, seen=seen_here(m, "takes a sum over all places with the same id")
            )
            made.groups = None
            return made
    return m.unknown(flow, index)


def judged(m: Machine, prediction: Flow, target: Any, axes: list[Axis]) -> Flow:
    """Return the loss of a target; it leaks where the prediction had reached the target itself."""
    made = Flow(axes, NEVER)
    made.loss = True
    if not isinstance(target, Flow) or not target.tokens:
        return made
    ours, theirs = ([flow.axes[i] for i in flow.at(TIME, FLAT)] for flow in (prediction, target))
    if ours == theirs and len(ours) == 1 and prediction.reach >= target.reach != NEVER:
        made.leak = prediction.seen
    return made
