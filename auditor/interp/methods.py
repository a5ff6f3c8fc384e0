"""Methods of values that are not submitted objects: tensors, strings, containers, files, optimisers, layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.apis.models import models
from auditor.interp import arrays
from auditor.interp.choices import preferred
from auditor.interp.containers import CONTAINER_METHODS, container_method, number_method
from auditor.interp.creation import CREATION, tensor
from auditor.interp.effects import backward, step, store
from auditor.interp.graph import Kind
from auditor.interp.index import get_item, token_key
from auditor.interp.layout import lay_out
from auditor.interp.machine import Machine
from auditor.interp.objects import call_object_method
from auditor.interp.operators import MASK, MAX_KEYS, elementwise, value_region
from auditor.interp.pieces import PIECE, encoded
from auditor.interp.reductions import reduce_sym
from auditor.interp.region import Region
from auditor.interp.resets import reset
from auditor.interp.rounding import cast
from auditor.interp.rowmajor import LAID_OUT
from auditor.interp.sentinels import chosen
from auditor.interp.sorts import handed_on, of_text, replaced, summed
from auditor.interp.stores import set_item
from auditor.interp.struck import strike_choice
from auditor.interp.updates import ONE_HOT, descend, one_hot
from auditor.interp.values import LIVE, SAVED, External, Instance, Mark, Partial, Sym, Text

_OPERATIONS: dict[str, Callable[..., Any]] = {"__setitem__": set_item, "__getitem__": get_item}
"""Operators spelled as methods, as lambdas have to."""


def call_value_method(m: Machine, receiver: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method by name on any value."""
    if m.flows is not None and (made := m.flows.method(m, receiver, name, args, kwargs)) is not NotImplemented:
        return made
    if isinstance(receiver, Sym):
        return _sym_method(m, receiver, name, args, kwargs)
    if isinstance(receiver, Instance):
        return call_object_method(m, receiver, name, args, kwargs)
    if name in _OPERATIONS and isinstance(receiver, (list, dict)):
        return _OPERATIONS[name](m, receiver, *args)
    for kind, names in CONTAINER_METHODS.items():
        if isinstance(receiver, kind):
            return container_method(m, receiver, name, args, kwargs) if name in names else m.unknown(receiver, *args)
    if isinstance(receiver, Text):
        return receiver if name in ("strip", "rstrip", "lower", "upper", "encode") else m.unknown(receiver, *args)
    if isinstance(receiver, (int, float)):
        return number_method(m, receiver, name, args)
    if isinstance(receiver, External):
        return m.unknown(*args)
    if isinstance(receiver, Partial):
        return m.unknown(receiver, *args)
    return m.unknown(receiver, *args, *kwargs.values())


def _sym_method(m: Machine, receiver: Sym, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name == "encode" and receiver.name == PIECE:
        return of_text(encoded(m, receiver), receiver, name, args)
    handler = _SYM.get(name)
    if handler is not None:
        return handler(m, receiver, args, kwargs)
    kind = models().methods.get(name, "")
    if kind == "copying":
        return cast(m, _copied(receiver, name), name, args, kwargs)
    if kind == "shape":
        return handed_on(receiver, lay_out(m, receiver, name, args, kwargs))
    if kind == "reduce":
        return reduce_sym(m, receiver, name, args, kwargs)
    if kind == "elementwise":
        return cast(m, _elementwise(m, receiver, name, args), name, args, kwargs)
    if kind == "resetting":
        receiver.mark |= Mark.ZEROED if name == "zero_" else Mark.NONE
        return _overwrite(m, receiver, args[0] if args else None)
    if name.endswith("_") and not name.endswith("__"):
        return cast(m, _mutate(m, receiver, name, args, kwargs), name, args, kwargs)
    made = m.unknown(receiver, *args, *kwargs.values())
    made.mark |= receiver.mark & (Mark.STATE | Mark.TRAIN | Mark.BYTES)
    if receiver.attrs:
        receiver.attrs.pop(LIVE, None)
    return of_text(made, receiver, name, args)


def _copied(receiver: Sym, name: str) -> Sym:
    if name in ("contiguous", "requires_grad_", "share_memory_", "retain_grad", "pin_memory", "data_ptr", "data_as"):
        return receiver
    made = Sym(receiver.node, shape=receiver.shape, val=receiver.val, pos=receiver.pos, keys=receiver.keys)
    made.mark, made.name = receiver.mark, receiver.name
    if receiver.attrs is not None and ONE_HOT in receiver.attrs:
        made.attrs = {ONE_HOT: receiver.attrs[ONE_HOT]}
    if name in ("numpy",) and receiver.val is not None:
        made.name = "np"
    if (
        name in ("float", "double", "half", "bfloat16", "to", "cuda", "cpu", "detach", "clone")
        and made.mark & Mark.PARAM
    ):
        made.mark &= ~Mark.PARAM
    return handed_on(receiver, made)


def _elementwise(m: Machine, receiver: Sym, name: str, args: tuple[Any, ...]) -> Any:
    if name == "where" and len(args) == 2:
        return arrays.select(m, args[0], receiver, args[1])
    if name in ("minimum", "maximum"):
        return arrays.HANDLERS[name](m, name, (receiver, *args), {})
    if name == "masked_fill" and len(args) == 2:
        return _masked_fill(m, receiver, args)
    made = elementwise(m, (receiver, *args), arrays._NUMPY.get(name))
    made.name = MASK if name in arrays.PREDICATES else made.name
    return made


def _masked_fill(m: Machine, receiver: Sym, args: tuple[Any, ...]) -> Sym:
    made = elementwise(m, (receiver, args[0]))
    mask = args[0].val if isinstance(args[0], Sym) else None
    chosen(made, mask, tensor(m, args[1]), receiver)
    if mask is not None and receiver.pos is not None and mask.shape == receiver.pos.shape and receiver.mark & Mark.NLL:
        made.pos = np.where(mask, -1, receiver.pos)
    made.mark = receiver.mark
    strike_choice(m, made, args[0], (receiver, args[1]))
    return made


def _overwrite(m: Machine, receiver: Sym, source: Any) -> Sym:
    """Overwrite a tensor; one that keeps the preferred of two losses may have kept what it held."""
    held, stored = receiver.node, preferred(m, source)
    reset(m, receiver, stored)
    if stored is not source:
        receiver.node = m.merge(receiver, Sym(held))
    return receiver


def _one_per_row(receiver: Sym, dim: Any, index: Any, value: Any) -> bool:
    """Say whether a scatter marks one place in each row of its index: a one-hot of these tokens, no table of them."""
    if not isinstance(dim, int) or dim == 0 or not isinstance(index, Sym):
        return False
    mine, theirs = receiver.shape, index.shape
    if value == 1 and theirs is not None and len(theirs) > 1 and theirs[-1] == 1 and not receiver.mark & Mark.TABLE:
        # A column: one place in each row, however wide the vocabulary is.
        return True
    return mine is not None and theirs is not None and len(mine) == len(theirs) and mine[:dim] == theirs[:dim]


def _mutate(m: Machine, receiver: Sym, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sym:
    """An in-place method: the tensor now also depends on the arguments."""
    if name in ("scatter_add_", "index_add_", "scatter_", "index_put_", "scatter_reduce_", "put_"):
        index = args[1] if len(args) > 1 else kwargs.get("index")
        value = args[2] if len(args) > 2 else kwargs.get("src", kwargs.get("source"))
        if name in ("index_put_", "put_"):
            index, value = args[0] if args else None, args[1] if len(args) > 1 else None
            index = index[-1] if isinstance(index, (tuple, list)) and index else index
        if name == "scatter_" and _one_per_row(receiver, args[0] if args else None, index, value):
            receiver.node, receiver.val = m.merge(receiver, index, value), None
            if value == 1:
                one_hot(receiver, index)
        else:
            arrays.scatter(m, receiver, index, value)
        return receiver
    gradients = [a for a in (*args, *kwargs.values()) if isinstance(a, Sym) and a.mark & Mark.GRADIENT]
    if gradients and receiver.mark & Mark.PARAM and not receiver.mark & Mark.OWNED:
        descend(m, receiver, receiver, gradients)
        return receiver
    if receiver.mark & Mark.PARAM:
        if name == "mul_" and args and type(args[0]) in (int, float) and args[0] == 0:
            return reset(m, receiver, 0)
        node = m.node(Kind.PARAM_WRITE, [m.merge(receiver, *args, *kwargs.values(), *m.controls)], text=name)
        receiver.node = node
        return receiver
    made = elementwise(m, (receiver, *[preferred(m, value) for value in args]), arrays._NUMPY.get(name[:-1]))
    receiver.node = made.node
    if receiver.mark & Mark.TABLE and (region := Region.union(value_region(a) for a in args)):
        receiver.node = m.node(Kind.CACHE_WRITE, [made.node], region=region, table=m.identity(receiver))
    receiver.val = made.val
    if made.shape == receiver.shape:
        receiver.pos, receiver.keys = made.pos, made.keys
    receiver.mark = receiver.mark & ~LAID_OUT | made.mark & ~Mark.PARAM
    replaced(receiver, made)
    return receiver


def _item(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if receiver.val is not None and receiver.val.size == 1 and receiver.pos is None:
        return receiver.val.reshape(-1)[0].item()
    made = summed(m, receiver, Sym(receiver.node, shape=(), mark=receiver.mark, name="scalar"))
    if receiver.pos is not None and receiver.pos.size == 1:
        made.pos = receiver.pos.reshape(())
        made.keys = tuple(k.reshape(()) for k in receiver.keys if k.size == 1)
    elif receiver.pos is not None and receiver.mark & Mark.NLL:
        made.node = m.node(Kind.REDUCE, [receiver.node], region=Region.of(receiver.pos))
    return made


def _tolist(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if receiver.val is not None and receiver.pos is None and receiver.val.size <= 200_000:
        return receiver.val.tolist()
    return receiver


def _size(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    axis = args[0] if args else kwargs.get("dim")
    if receiver.shape is None:
        return Sym(receiver.node, name="scalar")
    if isinstance(axis, int) and -len(receiver.shape) <= axis < len(receiver.shape):
        return receiver.shape[axis]
    return receiver.shape


def _numel(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return math.prod(receiver.shape) if receiver.shape is not None else Sym(receiver.node, name="scalar")


def _dim(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return len(receiver.shape) if receiver.shape is not None else Sym(name="scalar")


def _backward(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    backward(m, receiver)
    return None


def _gather(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return arrays.gather(m, receiver, kwargs.get("index", args[-1] if args else None))


def _softmax(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return arrays.softmax(m, receiver)


def _nonzero(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return arrays.nonzero(m, receiver, as_tuple=kwargs.get("as_tuple") is True)


def _order(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return arrays.HANDLERS["order"](m, "argsort", (receiver, *args), kwargs)


def _chunks(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    size = args[0] if args else 1
    if receiver.shape and isinstance(size, int) and size > 0:
        from auditor.interp.index import get_item

        length = receiver.shape[0]
        starts = range(0, length, size)
        return [get_item(m, receiver, slice(i, i + size)) for i in [*starts[:6], *starts[-1:]]]
    return [Sym(receiver.node, mark=receiver.mark), Sym(receiver.node, mark=receiver.mark)]


def _items(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = Sym(receiver.node, mark=receiver.mark, name=receiver.name)
    saved = [key for key in (receiver.attrs or {}).get(SAVED, ()) if isinstance(key, str)]
    return [(key, get_item(m, receiver, key)) for key in saved] or [(Sym(name="key"), value)]


def _get(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if args and isinstance(args[0], str) and receiver.attrs is not None and SAVED in receiver.attrs:
        return get_item(m, receiver, args[0])
    if args and receiver.mark & Mark.LOOKUP and token_key(args[0]):
        # The entry of a row that was looked up itself.
        return get_item(m, receiver, args[0])
    return Sym(m.merge(receiver, *args), mark=receiver.mark, name=receiver.name)


def _index_select(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from auditor.interp.index import get_item

    return get_item(m, receiver, args[-1]) if args else receiver


def _zero_grad(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    m.pending.clear()
    return None


def _bytes_of(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The bytes of a few tokens are one key made of all of them."""
    made = m.unknown(receiver)
    made.mark |= receiver.mark & (Mark.STATE | Mark.TRAIN | Mark.BYTES)
    few = receiver.pos is not None and 0 < receiver.pos.size <= MAX_KEYS and not receiver.keys
    if few and receiver.pos is not None and receiver.mark & Mark.TOKENS:
        *others, last = receiver.pos.reshape(-1)
        made.pos, made.keys, made.shape = np.asarray(last), tuple(np.asarray(other) for other in others), ()
        made.mark |= Mark.TOKENS | (Mark.MIXED if others else Mark.NONE)
    return made


def _write(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    store(m, Instance(None, "buffer"), args[0] if args else None)
    receiver.node = m.merge(receiver, *args)
    return None


def _step(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for argument in args:
        if isinstance(argument, Instance):
            step(m, argument)
    return None


def _fresh(name: str) -> Callable[[Machine, Sym, tuple[Any, ...], dict[str, Any]], Any]:
    """Return a method that allocates: the tensor it is called on lends its type and device, and none of its data."""

    def made(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return CREATION["tensor" if name == "tensor" else "alloc"](m, f"torch.{name}", args, kwargs)

    return made


def _normalise(m: Machine, receiver: Sym, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A lossy text normalisation; an event where the text comes from validation tokens."""
    return Sym(m.note(Kind.NORMALISE, "case folding", [receiver]), mark=receiver.mark)


_SYM = {
    "casefold": _normalise,
    "lower": _normalise,
    "item": _item,
    "__int__": _item,
    "tolist": _tolist,
    "size": _size,
    "numel": _numel,
    "nelement": _numel,
    "__len__": _size,
    "dim": _dim,
    "ndimension": _dim,
    "backward": _backward,
    "gather": _gather,
    "take_along_dim": _gather,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "nonzero": _nonzero,
    "argsort": _order,
    "split": _chunks,
    "chunk": _chunks,
    "items": _items,
    "get": _get,
    "pop": _get,
    "index_select": _index_select,
    "take": _index_select,
    "zero_grad": _zero_grad,
    **{f"new_{name}": _fresh(name) for name in ("zeros", "ones", "empty", "full", "tensor")},
    "write": _write,
    "tobytes": _bytes_of,
    "step": _step,
}
