"""Layout changes inside a network: what slices, shifts, pads, joins and reshapes do to time and reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.places import FLAT, KEY, NEVER, PLAIN, TIME, Axis, Flow, Seen
from auditor.interp.values import Sym

_TIMES = (TIME, KEY, FLAT)


def seen_here(m: Machine, words: str) -> Seen:
    """Return the place that is being interpreted as the one where a value came to reach ahead."""
    return Seen(m.span, m.frame.name if m.frames else "<module>", words)


def ahead(m: Machine, flow: Flow, reach: int, words: str) -> Seen | None:
    """Return where a value came to reach ahead: before, or here."""
    return flow.seen if reach <= 0 or (flow.seen is not None and flow.reach > 0) else seen_here(m, words)


def item(m: Machine, flow: Flow, index: Any) -> Any:
    """Evaluate `flow[index]` for whole numbers, slices, None and `...`."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(part, (Sym, list, bool)) for part in parts):
        return m.unknown(flow)
    named = sum(part is not None and part is not Ellipsis for part in parts)
    if named > len(flow.axes):
        return m.unknown(flow)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(flow.axes) - named)
    parts += [slice(None)] * (len(flow.axes) - sum(part is not None for part in parts))
    made, axes, axis = flow, [], 0
    for part in parts:
        if part is None:
            axes.append(Axis(1))
            continue
        held = flow.axes[axis]
        axis += 1
        found = _taken(m, made, held, part)
        if found is None:
            return m.unknown(flow)
        made, kept = found
        axes.extend(kept)
    return made.made(axes)


def _taken(m: Machine, flow: Flow, held: Axis, part: Any) -> tuple[Flow, list[Axis]] | None:
    """Return a flow and what is left of one of its axes after an index or slice."""
    whole = isinstance(part, slice) and part.start in (None, 0) and part.stop is None and part.step in (None, 1)
    if whole:
        return flow, [held]
    if held.time == PLAIN:
        return flow, [] if isinstance(part, int) else [Axis(_length(held.size, part))]
    if held.time == KEY or held.size is None or flow.groups is not None:
        return None
    if isinstance(part, int):
        place = part if part >= 0 else held.size + part
        return (_moved(m, flow, place, f"takes place {part}"), []) if 0 <= place < held.size else None
    bounds = (part.start, part.stop, part.step)
    if not isinstance(part, slice) or not all(bound is None or isinstance(bound, int) for bound in bounds):
        return None
    start, stop, step = part.indices(held.size)
    if step != 1 or stop <= start:
        return None
    return _moved(m, flow, start, _shift(start)), [Axis(stop - start, held.time)]


def _length(size: int | None, part: Any) -> int | None:
    bounds = (part.start, part.stop, part.step) if isinstance(part, slice) else (None,)
    if size is None or not all(bound is None or isinstance(bound, int) for bound in bounds) or part.step == 0:
        return None
    return len(range(*part.indices(size)))


def _shift(by: int) -> str:
    return f"takes what stands {by} {'place' if by == 1 else 'places'} ahead"


def _moved(m: Machine, flow: Flow, by: int, words: str) -> Flow:
    """Return a flow whose entry i is what was entry i + by."""
    if flow.reach == NEVER:
        return flow
    reach = flow.reach + by
    return flow.made(reach=reach, seen=ahead(m, flow, reach, words))


def store(m: Machine, flow: Flow, index: Any, value: Any) -> None:
    """Perform `flow[index] = value`."""
    part = item(m, flow, index)
    if not isinstance(part, Flow):
        # Which places are written is not known: what the others hold stays.
        flow.closed, flow.tokens = True, False
        return
    times = flow.at(TIME, FLAT)
    kept = part.at(TIME, FLAT)
    offset = _offset(flow, index)
    new = value.reach - offset if isinstance(value, Flow) and value.reach != NEVER else NEVER
    left = _left(flow, part) if times and kept else 1.0 if times else 0.0
    old = flow.reach if left >= 0.5 else NEVER if left == 0 else min(flow.reach, 0)
    reach = min(flow.reach, max(old, new)) if m.maybe else max(old, new)
    if new > old and isinstance(value, Flow):
        flow.seen = value.seen
    flow.reach, flow.tokens = reach, False
    if isinstance(value, Flow):
        flow.closed |= value.closed


def _left(flow: Flow, part: Flow) -> float:
    """Return the share of the places that a write leaves as they were."""
    whole, some = flow.axes[flow.at(TIME, FLAT)[0]].size, part.axes[part.at(TIME, FLAT)[0]].size
    columns = sum(a.size != b.size for a, b in zip(flow.axes, part.axes, strict=False)) if whole == some else 0
    fewer = len(part.axes) < len(flow.axes)
    return 1.0 if columns or (fewer and whole == some) else 1 - (some or 0) / (whole or 1)


def _offset(flow: Flow, index: Any) -> int:
    probe = Flow(flow.axes, 0)
    parts = list(index) if isinstance(index, tuple) else [index]
    found = [p for p in parts if p is not None]
    if Ellipsis in found:
        at = found.index(Ellipsis)
        found[at : at + 1] = [slice(None)] * (len(probe.axes) - len(found) + 1)
    for axis, part in zip(probe.axes, found, strict=False):
        if axis.time in (TIME, FLAT) and axis.size is not None:
            if isinstance(part, int):
                return part if part >= 0 else axis.size + part
            if isinstance(part, slice) and isinstance(part.start, int):
                return part.start if part.start >= 0 else axis.size + part.start
    return 0


def join(m: Machine, parts: list[Any], axis: Any) -> Any:
    """Model torch.cat: along time, what comes later in the list stands later."""
    flows = [part for part in parts if isinstance(part, Flow)]
    first = flows[0]
    if not isinstance(axis, int) or not -len(first.axes) <= axis < len(first.axes):
        return m.unknown(*parts)
    axis %= len(first.axes)
    others = [f.axes[:axis] + f.axes[axis + 1 :] for f in flows]
    if any(len(f.axes) != len(first.axes) for f in flows) or not _alike(others):
        return m.unknown(*parts)
    time = next((f.axes[axis].time for f in flows if f.axes[axis].time), PLAIN)
    sizes = [_size_at(part, axis) for part in parts]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    axes = (*first.axes[:axis], Axis(total, time), *first.axes[axis + 1 :])
    if time == PLAIN:
        best = max(flows, key=lambda flow: flow.reach)
        made = best.made(axes)
        made.tokens, made.closed = False, all(f.closed for f in flows)
        return made
    if total is None or time == KEY:
        return m.unknown(*parts)
    start, best, reach = 0, first, NEVER
    for part, size in zip(parts, sizes, strict=True):
        if isinstance(part, Flow) and part.reach != NEVER and part.reach - start > reach:
            best, reach = part, part.reach - start
        start += size or 0
    made = best.made(axes, reach)
    made.tokens, made.closed = False, any(f.closed for f in flows)
    return made


def _alike(axes: list[tuple[Axis, ...]]) -> bool:
    return all(
        a.time == b.time and (a.size == b.size or None in (a.size, b.size))
        for other in axes[1:]
        for a, b in zip(axes[0], other, strict=True)
    )


def _size_at(part: Any, axis: int) -> int | None:
    if isinstance(part, Flow):
        return part.axes[axis].size
    shape = part.shape if isinstance(part, Sym) else None
    return shape[axis] if shape is not None and axis < len(shape) else None


def pad(m: Machine, flow: Flow, widths: Any) -> Any:
    """Model F.pad: pairs from the last axis backwards."""
    if not isinstance(widths, (tuple, list)) or len(widths) % 2 or len(widths) // 2 > len(flow.axes):
        return m.unknown(flow)
    axes, made = list(flow.axes), flow
    for i in range(len(widths) // 2):
        left, right = widths[2 * i], widths[2 * i + 1]
        at = len(axes) - 1 - i
        if left == 0 and right == 0:
            continue
        size = axes[at].size
        if not isinstance(left, int) or not isinstance(right, int) or axes[at].time == KEY:
            return m.unknown(flow)
        if axes[at].time:
            made = _moved(m, made, -left, _shift(-left))
        axes[at] = Axis(None if size is None else size + left + right, axes[at].time)
    made = made.made(axes)
    made.tokens = False
    return made


def roll(m: Machine, flow: Flow, shift: Any, axis: Any) -> Any:
    """Model torch.roll; what comes round the edge is left out of account."""
    if isinstance(shift, (tuple, list)) and isinstance(axis, (tuple, list)) and len(shift) == len(axis) == 1:
        shift, axis = shift[0], axis[0]
    if not isinstance(shift, int) or not isinstance(axis, int) or not -len(flow.axes) <= axis < len(flow.axes):
        return m.unknown(flow)
    kind = flow.axes[axis].time
    if kind == KEY:
        return m.unknown(flow)
    made = _moved(m, flow, -shift, _shift(-shift)).made() if kind else flow.made()
    made.tokens = False
    return made


def permuted(m: Machine, flow: Flow, order: Sequence[Any]) -> Any:
    """Model permute."""
    if not all(isinstance(axis, int) for axis in order) or len(order) != len(flow.axes):
        return m.unknown(flow)
    places = [axis % len(flow.axes) for axis in order]
    return flow.made([flow.axes[at] for at in places]) if len(set(places)) == len(places) else m.unknown(flow)


def swapped(m: Machine, flow: Flow, first: Any, second: Any) -> Any:
    """Model transpose."""
    count = len(flow.axes)
    if not all(isinstance(axis, int) and -count <= axis < count for axis in (first, second)):
        return m.unknown(flow)
    order = list(range(count))
    order[first], order[second] = order[second], order[first]
    return permuted(m, flow, order)


def inserted(m: Machine, flow: Flow, axis: Any) -> Any:
    """Model unsqueeze."""
    if not isinstance(axis, int) or not -len(flow.axes) - 1 <= axis <= len(flow.axes):
        return m.unknown(flow)
    axis = axis if axis >= 0 else len(flow.axes) + 1 + axis
    return flow.made([*flow.axes[:axis], Axis(1), *flow.axes[axis:]])


def squeezed(m: Machine, flow: Flow, axis: Any) -> Any:
    """Model squeeze of one axis."""
    if not isinstance(axis, int) or not -len(flow.axes) <= axis < len(flow.axes):
        return m.unknown(flow)
    axis %= len(flow.axes)
    held = flow.axes[axis]
    if held.size is None:
        return m.unknown(flow)
    return flow.made([*flow.axes[:axis], *flow.axes[axis + 1 :]]) if held.size == 1 else flow


def expanded(m: Machine, flow: Flow, sizes: Sequence[Any], length: int) -> Any:
    """Model expand; what is spread over `length` places stands at each of them."""
    if len(sizes) < len(flow.axes):
        return m.unknown(flow)
    head = len(sizes) - len(flow.axes)
    axes = [Axis(size if isinstance(size, int) else None, TIME if size == length else PLAIN) for size in sizes[:head]]
    for held, size in zip(flow.axes, sizes[head:], strict=True):
        spread = held.size == 1 and isinstance(size, int) and size > 1
        axes.append(Axis(size, TIME if size == length else PLAIN) if spread else held)
    return flow.made(axes)


def reshaped(m: Machine, flow: Flow, sizes: Sequence[Any]) -> Any:
    """Model view and reshape: time has to stay an axis, or become one with the batch before it."""
    wanted = [size if isinstance(size, int) else None for size in sizes]
    axes = _matched(list(flow.axes), wanted)
    return m.unknown(flow) if axes is None else flow.made(axes)


def _matched(old: list[Axis], new: list[int | None]) -> list[Axis] | None:
    """Return the axes of a reshaped tensor: equal ends first, then what is left in the middle."""
    front: list[Axis] = []
    while old and new and new[0] is not None and new[0] == old[0].size:
        front.append(old.pop(0))
        new = new[1:]
    back: list[Axis] = []
    while old and new and new[-1] is not None and new[-1] == old[-1].size and old[-1].time == PLAIN:
        back.insert(0, old.pop())
        new = new[:-1]
    middle = _middle(old, new)
    return None if middle is None else [*front, *middle, *back]


def _middle(old: list[Axis], new: list[int | None]) -> list[Axis] | None:
    timed = [i for i, axis in enumerate(old) if axis.time]
    if not timed:
        return [Axis(size if size != -1 else _product(old, new)) for size in new]
    if len(timed) > 1:
        return None
    at = timed[0]
    held, before, after = old[at], _total(old[:at]), _total(old[at + 1 :])
    if held.time == FLAT:
        return _unflattened(held, new, after) if at == 0 else None
    for i, size in enumerate(new):
        heads = new[:i]
        if (
            size == held.size
            and size is not None
            and (heads == [-1] or (before is not None and _times(heads) == before))
        ):
            return [*[Axis(before if s == -1 else s) for s in heads], held, *_tail(new[i + 1 :], after)]
    if before is None or held.size is None or not new or held.time != TIME:
        return None
    if new[0] == -1 and before == 1 and (len(new) > 1) == (at + 1 < len(old)):
        return [held, *_tail(new[1:], after)]
    if new[0] in (-1, before * held.size) and (len(new) == 2 or (len(new) == 1 and after == 1)):
        return [Axis(before * held.size, FLAT), *_tail(new[1:], after)]
    return None


def _tail(sizes: list[int | None], total: int | None) -> list[Axis]:
    return [Axis(size if size != -1 else total if len(sizes) == 1 else None) for size in sizes]


def _times(sizes: list[int | None]) -> int | None:
    total = 1
    for size in sizes:
        if size is None or size < 0:
            return None
        total *= size
    return total


def _unflattened(held: Axis, new: list[int | None], after: int | None) -> list[Axis] | None:
    if len(new) < 2 or held.size is None:
        return None
    first, second, *rest = new
    if isinstance(first, int) and first > 0 and held.size % first == 0 and second in (-1, held.size // first):
        return [Axis(first), Axis(held.size // first, TIME), *_tail(rest, after)]
    if first == -1 and isinstance(second, int) and second > 0 and held.size % second == 0:
        return [Axis(held.size // second), Axis(second, TIME), *_tail(rest, after)]
    return None


def _total(axes: list[Axis]) -> int | None:
    total = 1
    for axis in axes:
        if axis.size is None:
            return None
        total *= axis.size
    return total


def _product(old: list[Axis], new: list[int | None]) -> int | None:
    total, known = _total(old), 1
    for size in new:
        if size is None:
            return None
        known *= size if size != -1 else 1
    return None if total is None or not known else total // known
