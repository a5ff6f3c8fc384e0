"""Methods of tensors inside a network that split, repeat or measure them, with torch's ways of passing arguments."""

from __future__ import annotations

from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.place_layers import Args, Kwargs, named
from auditor.interp.place_layout import item, reshaped
from auditor.interp.places import Axis, Flow
from auditor.interp.values import Sym


def chunks(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    """Model chunk and split along an axis that is not time."""
    flow, sizes = args[0], kwargs.get("chunks", kwargs.get("split_size", args[1] if len(args) > 1 else None))
    dim = kwargs.get("dim", args[2] if len(args) > 2 else 0)
    if not isinstance(flow, Flow) or not isinstance(dim, int) or not -len(flow.axes) <= dim < len(flow.axes):
        return m.unknown(*args)
    if flow.axes[dim].time or isinstance(sizes, Sym):
        return m.unknown(*args)
    dim %= len(flow.axes)
    known = list(sizes) if isinstance(sizes, (tuple, list)) else [None] * (sizes if isinstance(sizes, int) else 0)
    made = [
        flow.made([*flow.axes[:dim], Axis(size if isinstance(size, int) else None), *flow.axes[dim + 1 :]])
        for size in known[:64]
    ]
    return made


def split(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow, size = args[0], kwargs.get("split_size", args[1] if len(args) > 1 else None)
    dim = kwargs.get("dim", args[2] if len(args) > 2 else 0)
    if (
        isinstance(size, int)
        and isinstance(flow, Flow)
        and isinstance(dim, int)
        and -len(flow.axes) <= dim < len(flow.axes)
    ):
        whole = flow.axes[dim].size
        count = 2 if whole is None or size <= 0 else -(-whole // size)
        return chunks(m, (flow, [size] * count, dim), {})
    return chunks(m, (flow, size, dim), {})


def unbound(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow, dim = args[0], kwargs.get("dim", args[1] if len(args) > 1 else 0)
    if not isinstance(flow, Flow) or not isinstance(dim, int) or not -len(flow.axes) <= dim < len(flow.axes):
        return m.unknown(*args)
    dim %= len(flow.axes)
    size = flow.axes[dim].size
    if flow.axes[dim].time or size is None or size > 64:
        return m.unknown(*args)
    return [flow.made([*flow.axes[:dim], *flow.axes[dim + 1 :]]) for _ in range(size)]


def size(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    shape = shape_of(args[0])
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if dim is None:
        return shape
    return shape[dim] if isinstance(dim, int) and -len(shape) <= dim < len(shape) else Sym(name="size")


def shape_of(flow: Flow) -> tuple[Any, ...]:
    """Return a flow's sizes; those that are not known are unknown values."""
    return tuple(Sym(shape=(), name="size") if axis.size is None else axis.size for axis in flow.axes)


def sizes_in(args: Args) -> list[Any]:
    return list(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else list(args)


def flattened(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow = args[0]
    start = kwargs.get("start_dim", args[1] if len(args) > 1 else 0)
    end = kwargs.get("end_dim", args[2] if len(args) > 2 else -1)
    if not isinstance(start, int) or not isinstance(end, int):
        return m.unknown(*args)
    shape, count = shape_of(flow), len(flow.axes)
    start, end = start % max(count, 1), end % max(count, 1)
    if start >= end:
        return flow
    return reshaped(m, flow, [*shape[:start], -1, *shape[end + 1 :]])


def repeated_each(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow, times = args[0], kwargs.get("repeats", args[1] if len(args) > 1 else None)
    dim = kwargs.get("dim", args[2] if len(args) > 2 else None)
    if not isinstance(flow, Flow) or not isinstance(dim, int) or not -len(flow.axes) <= dim < len(flow.axes):
        return m.unknown(*args)
    axes, size = list(flow.axes), flow.axes[dim].size
    if axes[dim].time:
        return m.unknown(*args)
    axes[dim] = Axis(size * times if size is not None and isinstance(times, int) else None)
    return flow.made(axes)


def repeated(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow, sizes = args[0], sizes_in(args[1:])
    ones = isinstance(flow, Flow) and len(sizes) == len(flow.axes)
    if not ones or any(a.time and s != 1 for a, s in zip(flow.axes, sizes, strict=True)):
        return m.unknown(*args)
    return flow.made(
        [
            a if s == 1 else Axis(a.size * s if a.size is not None and isinstance(s, int) else None)
            for a, s in zip(flow.axes, sizes, strict=True)
        ]
    )


def narrowed(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow = args[0]
    dim, start, length = named(args[1:], kwargs, ("dim", "start", "length"))
    if not isinstance(flow, Flow) or not all(isinstance(v, int) for v in (dim, start, length)):
        return m.unknown(*args)
    dim %= len(flow.axes)
    return item(m, flow, (*[slice(None)] * dim, slice(start, start + length)))
