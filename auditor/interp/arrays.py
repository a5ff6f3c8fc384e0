"""Array and tensor functions: shapes, known integer contents and token positions through every layout change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.interp import experts
from auditor.interp.choices import among, choice, extreme, rivals
from auditor.interp.creation import CONTENT_CAP, CREATION, size_of, tensor
from auditor.interp.graph import Kind
from auditor.interp.losses import cross_entropy, gather_loss, part_of
from auditor.interp.machine import Machine
from auditor.interp.operators import MASK, elementwise, value_region
from auditor.interp.reductions import reduce_sym
from auditor.interp.region import Region
from auditor.interp.runs import run
from auditor.interp.sentinels import chosen
from auditor.interp.sorts import combined
from auditor.interp.struck import strike_choice
from auditor.interp.values import POSITION_CAP, Mark, Sym, shown

_NUMPY: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "log2": np.log2, "abs": np.abs, "sqrt": np.sqrt, "floor": np.floor,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_not": np.logical_not, "minimum": np.minimum,
    "maximum": np.maximum, "eq": np.equal, "ne": np.not_equal, "gt": np.greater, "lt": np.less, "ge": np.greater_equal,
    "le": np.less_equal, "add": np.add, "sub": np.subtract, "mul": np.multiply, "clip": np.clip, "clamp": np.clip,
    "mod": np.mod, "bitwise_xor": np.bitwise_xor, "bitwise_and": np.bitwise_and,
}  # fmt: skip


def _sequence(m: Machine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    from auditor.interp.iterate import elements

    value = args[0] if args else kwargs.get("tensors", [])
    if isinstance(value, Sym):
        return [value]
    count, item = elements(m, value)
    return [item(i) for i in range(min(count, 4096))]


def concat(m: Machine, items: list[Any], axis: int = 0) -> Sym:
    """Join arrays along an axis; positions and contents survive where every part has them."""
    syms = [item if isinstance(item, Sym) else tensor(m, item) for item in items]
    if len(syms) == 1:
        return tensor(m, syms[0])
    mark = Mark.NONE
    for sym in syms:
        mark |= sym.mark & ~Mark.PARAM
    made = Sym(m.merge(*[Sym(part_of(m, s)) if s.mark & Mark.NLL else s for s in syms]), mark=mark)
    try:
        if syms and all(s.shape is not None for s in syms):
            if any(s.pos is not None for s in syms):
                parts = [s.pos if s.pos is not None else np.full(s.shape or (), -1, np.int32) for s in syms]
                made.pos = np.concatenate(parts, axis=axis)
                made.shape = made.pos.shape
            elif all(s.val is not None for s in syms):
                made.val = np.concatenate([s.val for s in syms if s.val is not None], axis=axis)
                made.shape = made.val.shape
            else:
                dummies = [np.broadcast_to(np.int8(0), s.shape or ()) for s in syms]
                if sum(d.size for d in dummies) <= POSITION_CAP:
                    made.shape = np.concatenate(dummies, axis=axis).shape
    except (ValueError, TypeError):
        made.shape = None
    return made


def stack(m: Machine, items: list[Any], axis: int = 0) -> Sym:
    """Stack arrays along a new axis."""
    syms = [item if isinstance(item, Sym) else tensor(m, item) for item in items]
    lifted: list[Any] = []
    # What is stacked has one shape: that of a part with positions is that of all.
    placed = next((s.pos.shape for s in syms if s.pos is not None), None)
    for sym in syms:
        made = Sym(sym.node, mark=sym.mark)
        for name in ("pos", "val"):
            array = getattr(sym, name)
            if array is not None:
                setattr(made, name, array[None] if axis == 0 else np.expand_dims(array, axis))
        shape = placed if placed is not None else sym.shape
        if shape is not None:
            at = axis if axis >= 0 else len(shape) + 1 + axis
            made.shape = (*shape[:at], 1, *shape[at:])
        if made.pos is not None:
            made.shape = made.pos.shape
        elif made.val is not None:
            made.shape = made.val.shape
        lifted.append(made)
    if not lifted:
        return Sym()
    joined = concat(m, lifted, axis)
    experts.stacked(m, joined, syms)
    return joined


def _axis(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    axis = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0))
    return axis if isinstance(axis, int) else 0


def _concat(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    items, axis = _sequence(m, args, kwargs), _axis(args, kwargs)
    made = concat(m, items, axis)
    experts.side_by_side(m, made, [item for item in items if isinstance(item, Sym)], axis)
    return made


def _stack(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return stack(m, _sequence(m, args, kwargs), _axis(args, kwargs))


def _where(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) < 3:
        return nonzero(m, args[0], as_tuple=True) if args else Sym()
    return select(m, args[0], args[1], args[2])


_TELLING = Mark.TOKENS | Mark.BYTES | Mark.LOOKUP | Mark.TOLD
"""Conditions that know something of the tokens at their positions."""


_SAYING = Mark.NLL | Mark.TOKENS | Mark.LOGITS | Mark.LOOKUP
"""What is chosen among that has positions of its own meaning."""


def select(m: Machine, condition: Any, first: Any, second: Any) -> Sym:
    """Model where(condition, a, b): positions by a known condition, a SELECT event when losses are chosen."""
    parts = [v if isinstance(v, Sym) else tensor(m, v) for v in (first, second)]
    made = elementwise(m, (condition, *parts))
    a, b = parts
    known = condition.val if isinstance(condition, Sym) else None
    chosen(made, known, a, b)
    combined(made, (condition, a, b), np.where)
    strike_choice(m, made, condition, (a, b))
    if known is not None and made.shape is not None and (a.pos is not None or b.pos is not None):
        sides = [p.pos if p.pos is not None else np.asarray(-1) for p in parts]
        try:
            made.pos = np.where(known.astype(bool), *sides)
        except ValueError:
            made.pos = a.pos if a.pos is not None else b.pos
    elif a.pos is not None and (made.pos is None or a.mark & Mark.TOKENS):
        made.pos = a.pos if made.shape is None or a.pos.shape == made.shape else made.pos
    condition_mark = condition.mark if isinstance(condition, Sym) else Mark.NONE
    made.mark = a.mark | b.mark
    if known is None and condition_mark & _TELLING and not made.mark & _SAYING:
        # What was chosen by a property of each token knows that token.
        made.mark |= Mark.TOLD
    if made.mark & Mark.NLL and known is None:
        by = among(rivals(condition), made)
        if by is not None and not value_region(made):
            made.node = choice(m, made.node, by, "where")
        else:
            by_loss = bool(condition_mark & Mark.NLL)
            made.node = m.node(Kind.SELECT, [made.node], text="where", by_loss=by_loss, region=value_region(made))
    return made


def _choose(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    made = elementwise(m, args, _NUMPY["minimum" if "min" in path else "maximum"])
    losses = [v for v in args if isinstance(v, Sym) and v.mark & Mark.NLL and v.node is not None]
    rivals = [
        v for v in args if isinstance(v, Sym) and v.mark & Mark.LOOKUP and v.pos is not None and v.node is not None
    ]
    if losses and len({v.node.index for v in (*losses, *rivals) if v.node is not None}) > 1:
        made.node = extreme(m, made.node, losses, path, value_region(made))
    return made


def nonzero(m: Machine, condition: Any, *, as_tuple: bool) -> Any:
    """Model nonzero: indices of known conditions are known, others keep the origins of the condition."""
    if isinstance(condition, Sym) and condition.val is not None and condition.val.ndim:
        found = np.nonzero(condition.val)
        made: Any = tuple(Sym(None, val=axis) for axis in found)
        if not as_tuple:
            return Sym(None, val=np.stack(found, axis=-1)) if found else Sym()
        return made
    shape = condition.shape if isinstance(condition, Sym) else None
    if shape and size_of(shape) <= (POSITION_CAP if len(shape) == 1 else CONTENT_CAP):
        # An undecided condition may hold anywhere: every index is taken.
        every = (run(0, shape[0]),) if len(shape) == 1 else np.nonzero(np.broadcast_to(np.True_, shape))
        if as_tuple:
            return tuple(Sym(condition.node, val=axis, name="indices") for axis in every)
        return Sym(condition.node, val=np.stack(every, axis=-1), name="indices")
    made = Sym(condition.node if isinstance(condition, Sym) else None, name="indices")
    return (made,) if as_tuple else made


def _nonzero(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    flat = path.endswith("flatnonzero")
    made = nonzero(
        m,
        args[0] if args else None,
        as_tuple=flat or path.startswith("numpy.nonzero") or kwargs.get("as_tuple") is True,
    )
    return made[0] if flat and isinstance(made, tuple) else made


def _elementwise(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    function = _NUMPY.get(path.rsplit(".", 1)[-1])
    if not any(isinstance(a, Sym) for a in args):
        args = tuple(tensor(m, a) for a in args)
    made = elementwise(m, args, function)
    made.name = MASK if path.rsplit(".", 1)[-1] in PREDICATES else made.name
    return made


PREDICATES = frozenset(["isfinite", "isnan", "eq", "ne", "gt", "lt", "ge", "le"])
"""Functions whose result is a mask: it selects, and its sum is a count."""


def _reduce(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = args[0] if args else None
    if not isinstance(value, Sym):
        value = tensor(m, value)
    return reduce_sym(m, value, path.rsplit(".", 1)[-1], args[1:], kwargs)


def _cumulative(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = tensor(m, args[0]) if args else Sym()
    if value.val is not None:
        return Sym(None, val=np.cumsum(value.val, axis=None if value.val.ndim == 1 else 0))
    return Sym(value.node, shape=value.shape, mark=value.mark)


def order(m: Machine, value: Any) -> Sym:
    """Model argsort: the places of known contents in rising order, the same in every run."""
    content = value.val if isinstance(value, Sym) else None
    if content is not None and content.ndim == 1:
        return Sym(None, val=np.argsort(content, kind="stable"))
    return m.unknown(value)


def _order(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    falls = kwargs.get("descending", args[1] if len(args) > 1 else False)
    return order(m, args[0]) if args and falls is False else m.unknown(*args, *kwargs.values())


def softmax(m: Machine, value: Any, *, log: bool = False) -> Sym:
    """Model softmax and log_softmax: a distribution over the last axis."""
    made = elementwise(m, (value,))
    made.mark = made.mark & ~Mark.HIDDEN | Mark.LOGITS | Mark.NORMAL
    if isinstance(value, Sym) and value.mark & Mark.NLL and made.node is not None:
        # How far experts were off becomes their weights: the lowest of those losses is no score.
        made.node = m.node(Kind.OP, [made.node], text="weights by losses", weights=True)
    return made


def _softmax(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return softmax(m, args[0] if args else kwargs.get("input"))


def gather(m: Machine, source: Any, index: Any) -> Any:
    """Model gather along the vocabulary: picking a distribution at token ids is a loss of these tokens."""
    if not isinstance(source, Sym):
        return m.unknown(source, index)
    if isinstance(index, Sym) and index.mark & Mark.TOKENS and source.mark & Mark.LOGITS:
        return gather_loss(m, source, index)
    from auditor.interp.index import get_item

    if not isinstance(index, Sym):
        return m.unknown(source, index)
    axes = len(index.shape or ())
    if source.mark & Mark.LOOKUP and index.mark & Mark.TOKENS and index.shape and axes == len(source.shape or ()):
        # One entry of each looked-up row, not a row for each key.
        source = Sym(source.node, shape=index.shape[:1], mark=source.mark)
    return get_item(m, source, index)


def _gather(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if path.startswith("numpy."):
        return gather(m, args[0], args[1] if len(args) > 1 else None)
    index = kwargs.get("index", args[2] if len(args) > 2 else args[1] if len(args) > 1 else None)
    return gather(m, args[0] if args else None, index)


def _take(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from auditor.interp.index import get_item

    if path.endswith("embedding"):
        return get_item(m, args[1], args[0]) if len(args) > 1 else Sym()
    index = args[-1] if args else None
    return get_item(m, args[0], index) if len(args) > 1 else Sym()


def _cross_entropy(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if ".losses." in path:
        # There a loss is per token unless it is asked to reduce.
        kwargs = {"reduction": "none", **kwargs}
    return cross_entropy(m, args, kwargs)


def _bincount(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    keys = args[0] if args else None
    region = value_region(keys)
    made = m.unknown(*args)
    if region:
        made.node = m.node(Kind.CACHE_WRITE, [made.node], region=region, table=m.identity(made))
    made.mark = Mark.TABLE
    return (made, made) if path.endswith("unique") and len(kwargs) else made


def scatter(m: Machine, table: Any, index: Any, value: Any) -> None:
    """Model an indexed accumulation into a table: a cache write of the positions in its index."""
    if not isinstance(table, Sym):
        return
    region = Region.union([value_region(index), value_region(value)])
    carried = m.merge(table, index, value)
    table.val = None
    if region:
        table.mark |= Mark.TABLE
        table.node = m.node(Kind.CACHE_WRITE, [carried], region=region, table=m.identity(shown(table)))
    else:
        table.node = carried
    whole = shown(table)
    whole.node, whole.mark, whole.val = table.node, whole.mark | table.mark & Mark.TABLE, None


def _scatter(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) >= 2:
        scatter(m, args[0], args[1], args[2] if len(args) > 2 else None)
    return args[0] if args else None


HANDLERS: dict[str, Callable[[Machine, str, tuple[Any, ...], dict[str, Any]], Any]] = {
    **CREATION,
    "concat": _concat,
    "stack": _stack,
    "where": _where,
    "minimum": _choose,
    "maximum": _choose,
    "nonzero": _nonzero,
    "elementwise": _elementwise,
    "reduce": _reduce,
    "cumulative": _cumulative,
    "order": _order,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "gather": _gather,
    "take": _take,
    "cross_entropy": _cross_entropy,
    "bincount": _bincount,
    "scatter": _scatter,
}
