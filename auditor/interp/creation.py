"""Making arrays: allocated, drawn, counted up or taken from Python values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.operators import MASK
from auditor.interp.runs import run
from auditor.interp.sorts import handed_on, listed
from auditor.interp.updates import one_hot
from auditor.interp.values import POSITION_CAP, External, Mark, Sym

CONTENT_CAP = 2_000_000
"""Largest allocation whose zeros or ones are held; larger ones keep their shape only."""
_LARGE = 4_096
"""Elements from which on an array of one value is not written out."""


def as_shape(args: tuple[Any, ...]) -> tuple[int, ...] | None:
    """Read a shape from *sizes or one sequence of sizes; None where a size is unknown."""
    sizes = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    made: list[int] = []
    for size in sizes:
        if isinstance(size, Sym) and size.val is not None and size.val.size == 1:
            size = int(size.val.reshape(-1)[0])
        if isinstance(size, bool) or not isinstance(size, (int, float)) or not abs(size) < 2**62:
            return None
        made.append(int(size))
    return tuple(made)


def _alloc(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if path.endswith("_like"):
        source = args[0] if args else None
        shape = source.shape if isinstance(source, Sym) else None
    else:
        sizes = kwargs.get("size", kwargs.get("shape"))
        if path.endswith(("full", "eye", "identity")):
            shape = as_shape((args[0] if args else sizes,))
        elif path.startswith("numpy."):
            shape = as_shape((args[0],)) if args else as_shape((sizes,))
        else:
            shape = as_shape(args) if args else as_shape((sizes,))
    if shape is not None and min(shape, default=0) < 0:
        shape = None
    value: Any = 1 if "ones" in path else 0
    if path.endswith(("full", "full_like")):
        value = args[1] if len(args) > 1 else kwargs.get("fill_value", 0)
    learns = kwargs.get("requires_grad") is True
    flags = _boolean(kwargs.get("dtype"))
    made = Sym(m.node(Kind.PARAM, text=path) if learns else None, shape=shape, name=MASK if flags else path)
    if learns:
        made.mark |= Mark.PARAM
    elif shape is not None and size_of(shape) <= CONTENT_CAP and isinstance(value, (bool, int, float)):
        made.val = filled(shape, bool(value) if flags else value)
    return made


def filled(shape: tuple[int, ...], value: Any) -> np.ndarray:
    """Return an array of one value. A large one takes no memory and is read-only: who writes to it copies it first."""
    if size_of(shape) < _LARGE:
        return np.full(shape, value)
    return np.broadcast_to(np.asarray(value), shape)


def _boolean(dtype: Any) -> bool:
    """Say whether a dtype is the boolean one: indexing by such an array selects instead of looking up."""
    return isinstance(dtype, External) and dtype.path in ("torch.bool", "numpy.bool_", "numpy.bool", "builtins.bool")


def size_of(shape: tuple[int, ...]) -> int:
    """Return how many elements a shape holds."""
    total = 1
    for n in shape:
        total *= max(int(n), 0)
    return total


def _random(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    shapes = [a for a in args if isinstance(a, (tuple, list))]
    if path.endswith("_like") and args and isinstance(args[0], Sym):
        shape = args[0].shape
    else:
        shape = as_shape((shapes[-1],)) if shapes else as_shape(args)
    made = Sym(None, shape=shape, name=path)
    if path.endswith("randint"):
        # Random token ids are data of no split: a model that learns from them learns nothing of the text.
        made.node, made.mark = m.node(Kind.LOAD, text="random tokens", split="random"), Mark.TOKENS | Mark.TRAIN
    if kwargs.get("requires_grad") is True:
        made.node, made.mark = m.node(Kind.PARAM, text=path), Mark.PARAM
    return made


def _permutation(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    count = args[0] if args else None
    if isinstance(count, Sym):
        return count
    return Sym(None, val=np.arange(count)) if isinstance(count, int) and 0 <= count <= CONTENT_CAP else Sym()


def _arange(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    numbers = [_number(a) for a in args]
    for name in ("start", "end", "stop", "step"):
        if name in kwargs:
            numbers.append(_number(kwargs[name]))
    if not numbers or not all(isinstance(n, (int, float)) for n in numbers):
        return m.unknown(*args)
    try:
        count = len(range(*[int(n) for n in numbers]))
        if len(numbers) < 3 and all(type(n) is int for n in numbers):
            first, last = numbers if len(numbers) == 2 else (0, numbers[0])
            return Sym(None, val=run(first, last)) if count <= POSITION_CAP else Sym(None, shape=(count,))
        return Sym(None, val=np.arange(*numbers)) if count <= POSITION_CAP else Sym(None, shape=(count,))
    except (TypeError, ValueError, ZeroDivisionError):
        return m.unknown(*args)


def _number(value: Any) -> Any:
    if isinstance(value, Sym) and value.val is not None and value.val.size == 1:
        return value.val.reshape(-1)[0].item()
    return value


def _linspace(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    count = args[2] if len(args) > 2 else kwargs.get("steps", kwargs.get("num", 50))
    return Sym(None, shape=(count,)) if isinstance(count, int) else Sym()


def tensor(m: Machine, value: Any) -> Sym:
    """Turn a value into an array: known numbers keep their content, lists of arrays are stacked."""
    if isinstance(value, Sym):
        copied = Sym(value.node, shape=value.shape, val=value.val, pos=value.pos, keys=value.keys, mark=value.mark)
        copied.name = "" if value.name == "scalar" else value.name
        return handed_on(value, copied)
    if isinstance(value, (bool, int, float)):
        return Sym(None, val=np.asarray(value))
    if isinstance(value, (list, tuple, range)):
        if len(value) and all(isinstance(v, (bool, int, float)) for v in value):
            return Sym(None, val=np.asarray(list(value)))
        if any(isinstance(v, Sym) for v in value):
            from auditor.interp.arrays import stack

            return listed(stack(m, list(value)), value)
        try:
            array = np.asarray(value)
            if array.dtype != object and array.size <= CONTENT_CAP:
                return Sym(None, val=array)
        except (ValueError, TypeError):
            return m.unknown(list(value))
        return m.unknown(list(value))
    return m.unknown(value)


def _tensor(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    made = tensor(m, args[0] if args else kwargs.get("data", 0))
    if kwargs.get("requires_grad") is True:
        made.node, made.mark, made.val = m.node(Kind.PARAM, [made.node], text=path), made.mark | Mark.PARAM, None
    return made


def _one_hot(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    target = args[0] if args else kwargs.get("input")
    made = m.unknown(target)
    if isinstance(target, Sym) and target.shape is not None and len(args) > 1 and isinstance(args[1], int):
        made.shape = (*target.shape, args[1])
    return one_hot(made, target)


CREATION: dict[str, Callable[[Machine, str, tuple[Any, ...], dict[str, Any]], Any]] = {
    "alloc": _alloc,
    "random": _random,
    "permutation": _permutation,
    "arange": _arange,
    "linspace": _linspace,
    "tensor": _tensor,
    "one_hot": _one_hot,
}
