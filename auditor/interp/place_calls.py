"""Library functions, tensor methods and layers inside a network, by name: which of the operations on places each is.

A name that is not here is not modelled: its result is an ordinary unknown value, of which nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.place_layers import (
    Args,
    Kwargs,
    attention,
    conv1d,
    cross_entropy,
    embedding,
    flash_attention,
    flex_attention,
    linear,
    named,
)
from auditor.interp.place_layout import (
    expanded,
    inserted,
    join,
    pad,
    permuted,
    reshaped,
    roll,
    squeezed,
    swapped,
)
from auditor.interp.place_math import (
    chosen,
    combined,
    einsum,
    folded,
    picked,
    product,
    regrouped,
    spread,
)
from auditor.interp.place_shapes import (
    chunks,
    flattened,
    narrowed,
    repeated,
    repeated_each,
    shape_of,
    size,
    sizes_in,
    split,
    unbound,
)
from auditor.interp.places import FLAT, KEY, NEVER, Axis, Flow
from auditor.interp.values import Sym

Handler = Callable[[Machine, Args, Kwargs], Any]

SAME = frozenset([
    "abs", "celu", "clamp", "clamp_max", "clamp_min", "clip", "clone", "contiguous", "cos", "detach", "dropout",
    "elu", "erf", "exp", "exp2", "expm1", "float", "floor", "gelu", "half", "hardswish", "hardtanh", "leaky_relu",
    "log", "log1p", "log2", "logsigmoid", "long", "int", "bool", "to", "type", "type_as", "bfloat16", "cuda", "cpu",
    "mish", "nan_to_num", "neg", "pow", "reciprocal", "relu", "relu6", "round", "rsqrt", "selu", "sigmoid", "sign",
    "silu", "sin", "softplus", "softsign", "sqrt", "square", "tanh", "tanhshrink", "trunc", "logit", "relu_", "silu_",
    "ceil", "double", "pin_memory", "requires_grad_", "rms_norm", "layer_norm", "alpha_dropout",
    "astype",
])  # fmt: skip
"""Functions of each entry, or over the last axis, that keep every place to itself."""
SUMS = frozenset([
    "add", "sub", "maximum", "minimum", "add_", "sub_", "logaddexp", "fmax", "fmin", "rsub",
])  # fmt: skip
PRODUCTS = frozenset([
    "lerp", "lerp_",
    "mul", "div", "multiply", "divide", "true_divide", "remainder", "addcmul", "mul_", "div_", "fmod", "bitwise_xor",
    "xor",
])  # fmt: skip
ASKING = frozenset([
    "eq", "ne", "gt", "lt", "ge", "le", "logical_and", "logical_or", "logical_not", "isnan", "isfinite",
    "bitwise_and", "bitwise_or",
])  # fmt: skip
FOLDS = frozenset([
    "mean", "sum", "amax", "amin", "prod", "std", "var", "norm", "logsumexp", "argmax", "argmin", "any", "all",
    "count_nonzero", "nanmean", "vector_norm",
])  # fmt: skip
PAIRS = frozenset([
    "max", "min", "median", "mode", "kthvalue",
])  # fmt: skip
CUMULATIVE = frozenset([
    "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp",
])  # fmt: skip
SPREADS = frozenset([
    "softmax", "log_softmax", "softmin", "normalize",
])  # fmt: skip
FLASH = frozenset([
    "flash_attn_func", "flash_attn_varlen_func", "flash_attn_with_kvcache", "flash_attention",
])  # fmt: skip


def library(m: Machine, path: str, args: Args, kwargs: Kwargs) -> Any:
    """Call a library function that is handed a flow; NotImplemented where it is not modelled."""
    name = path.rsplit(".", 1)[-1]
    if name in _CALLS:
        return _CALLS[name](m, args, kwargs)
    if not args or not isinstance(args[0], (Flow, Sym)):
        return m.unknown(*args, *kwargs.values())
    return method(m, args[0], name, args[1:], kwargs)


def method(m: Machine, receiver: Any, name: str, args: Args, kwargs: Kwargs) -> Any:
    """Call a tensor method, or the function of the same name, where the tensor or an argument is a flow."""
    if name in _METHODS and (isinstance(receiver, Flow) or name in _EITHER):
        return _METHODS[name](m, (receiver, *args), kwargs)
    if name in SUMS or name in PRODUCTS:
        scales = name in PRODUCTS
        operands = (receiver, *args[: 2 if name.startswith(("lerp", "addc")) else 1])
        if kwargs.get("alpha", 1) == 0:
            return receiver
        return _changed(name, receiver, combined(m, operands, scales=scales))
    if not isinstance(receiver, Flow):
        return _CALLS[name](m, (receiver, *args), kwargs) if name in _CALLS else m.unknown(receiver, *args)
    if name in SAME:
        made = receiver.made()
        made.tokens = receiver.tokens and name in ("to", "long", "int", "clone", "contiguous", "detach", "cuda")
        return made
    if name in ASKING:
        return combined(m, (receiver, *args), scales=False, asks=True)
    if name in FOLDS:
        return folded(m, receiver, _dims(args, kwargs), _keeps(kwargs, args), f"the {name}")
    if name in PAIRS:
        return _pair(m, receiver, name, args, kwargs)
    if name in CUMULATIVE:
        return _cumulative(m, receiver, name, _dims(args, kwargs))
    if name in SPREADS:
        return spread(m, receiver, _spread_dim(name, args, kwargs), f"the {name}")
    return m.unknown(receiver, *args, *kwargs.values())


def _changed(name: str, receiver: Any, made: Any) -> Any:
    """Return what an operation made; in place where its name says so."""
    if name.endswith("_") and isinstance(receiver, Flow):
        if not isinstance(made, Flow):
            receiver.closed, receiver.reach = True, min(receiver.reach, 0)
            return receiver
        receiver.become(made)
        return receiver
    return made


def _dims(args: Args, kwargs: Kwargs) -> Any:
    return kwargs.get("dim", kwargs.get("axis", args[0] if args else None))


def _keeps(kwargs: Kwargs, args: Args) -> bool:
    return kwargs.get("keepdim", kwargs.get("keepdims", args[1] if len(args) > 1 else False)) is True


def _spread_dim(name: str, args: Args, kwargs: Kwargs) -> Any:
    if name == "normalize":
        return kwargs.get("dim", args[1] if len(args) > 1 else 1)
    return _dims(args, kwargs)


def _pair(m: Machine, receiver: Flow, name: str, args: Args, kwargs: Kwargs) -> Any:
    if args and isinstance(args[0], Sym):
        return combined(m, (receiver, args[0]), scales=False)
    dims = _dims(args[1:] if name == "kthvalue" else args, kwargs)
    made = folded(m, receiver, dims, _keeps(kwargs, args), f"the {name}")
    return made if dims is None else (made, made)


def _cumulative(m: Machine, receiver: Flow, name: str, dim: Any) -> Any:
    if not isinstance(dim, int) or not -len(receiver.axes) <= dim < len(receiver.axes):
        return m.unknown(receiver)
    if receiver.axes[dim].time in (KEY, FLAT):
        return m.unknown(receiver)
    made = receiver.made()
    made.tokens = False
    return (made, made) if name in ("cummax", "cummin") else made


def _quantile(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    dims = kwargs.get("dim", args[2] if len(args) > 2 else None)
    return folded(m, args[0], dims, _keeps(kwargs, args[2:]), "a quantile")


def _sorted(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    made = spread(m, args[0], kwargs.get("dim", args[1] if len(args) > 1 else -1), "an order")
    return (made, made)


def _topk(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow, dim = args[0], kwargs.get("dim", args[2] if len(args) > 2 else -1)
    count = kwargs.get("k", args[1] if len(args) > 1 else None)
    made = spread(m, flow, dim, "a selection")
    if isinstance(made, Flow) and isinstance(dim, int):
        axes = list(made.axes)
        axes[dim] = Axis(count if isinstance(count, int) else None)
        made = made.made(axes)
    return (made, made)


def _sequence(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _concat(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    parts = _sequence(args[0] if args else kwargs.get("tensors"))
    return join(m, parts, kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0)))


def _stack(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    parts = _sequence(args[0] if args else kwargs.get("tensors"))
    axis = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else 0))
    lifted = [inserted(m, part, axis) if isinstance(part, Flow) else None for part in parts]
    return m.unknown(*parts) if any(not isinstance(p, Flow) for p in lifted) else join(m, lifted, axis)


def _pad(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    if not args or not isinstance(args[0], Flow):
        return m.unknown(*args, *kwargs.values())
    return pad(m, args[0], kwargs.get("pad", args[1] if len(args) > 1 else None))


def _scatter(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow = args[0]
    dim, ids, source = named(args[1:], kwargs, ("dim", "index", "src"))
    regrouped(m, flow, dim, ids, source)
    return flow


def _gather(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    dim, index = kwargs.get("dim", args[1] if len(args) > 1 else None), kwargs.get("index", args[-1])
    return picked(m, args[0], dim, index)


def _masked(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow = args[0]
    return flow.hidden() if not flow.at(KEY) else _closed(flow)


def _closed(flow: Flow) -> Flow:
    made = flow.made()
    made.closed = True
    return made


def _masked_here(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    args[0].become(_masked(m, args, kwargs))
    return args[0]


def _checkpoint(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    from auditor.interp.calls import call

    return call(m, args[0], args[1:], {}) if args else m.unknown(*kwargs.values())


def _copy_in(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    if len(args) > 1 and isinstance(args[1], Flow) and not m.maybe:
        args[0].become(args[1])
    else:
        args[0].closed, args[0].reach = True, min(args[0].reach, 0)
    return args[0]


def _like(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    return Flow(args[0].axes, NEVER)


_CALLS: dict[str, Handler] = {
    "linear": linear,
    "embedding": embedding,
    "cross_entropy": cross_entropy,
    "nll_loss": cross_entropy,
    "scaled_dot_product_attention": attention,
    **dict.fromkeys(FLASH, flash_attention),
    "flex_attention": flex_attention,
    "cat": _concat,
    "concat": _concat,
    "concatenate": _concat,
    "stack": _stack,
    "conv1d": conv1d,
    "checkpoint": _checkpoint,
    "pad": _pad,
    "where": lambda m, a, k: chosen(m, *a[:3]) if len(a) >= 3 else m.unknown(*a),
    "einsum": lambda m, a, k: einsum(m, a[0], a[1:] if len(a) != 2 else tuple(_sequence(a[1]))) if a else m.unknown(),
}

_EITHER = frozenset(["matmul", "bmm"])
"""Methods that are modelled where only an argument is a flow."""

_METHODS: dict[str, Handler] = {
    "size": size,
    "numel": lambda m, a, k: Sym(shape=(), name="scalar"),
    "dim": lambda m, a, k: len(a[0].axes),
    "view": lambda m, a, k: reshaped(m, a[0], sizes_in(a[1:])),
    "reshape": lambda m, a, k: reshaped(m, a[0], sizes_in(a[1:])),
    "flatten": lambda m, a, k: flattened(m, a, k),
    "transpose": lambda m, a, k: swapped(m, a[0], *named(a[1:], k, ("dim0", "dim1", ""))[:2]),
    "swapaxes": lambda m, a, k: swapped(m, a[0], *named(a[1:], k, ("axis0", "axis1", ""))[:2]),
    "permute": lambda m, a, k: permuted(m, a[0], sizes_in(a[1:]) or list(k.get("dims", ()))),
    "unsqueeze": lambda m, a, k: inserted(m, a[0], k.get("dim", a[1] if len(a) > 1 else None)),
    "squeeze": lambda m, a, k: squeezed(m, a[0], k.get("dim", a[1] if len(a) > 1 else None)),
    "expand": lambda m, a, k: expanded(m, a[0], sizes_in(a[1:]), m.flows.length),
    "expand_as": lambda m, a, k: (
        expanded(m, a[0], shape_of(a[1]), m.flows.length) if all(isinstance(v, Flow) for v in a[1:]) else m.unknown(*a)
    ),
    "view_as": lambda m, a, k: a[0] if len(a) > 1 and a[0].axes == getattr(a[1], "axes", None) else m.unknown(*a),
    "roll": lambda m, a, k: roll(m, a[0], *named(a[1:], k, ("shifts", "dims", ""))[:2]),
    "chunk": chunks,
    "split": split,
    "unbind": unbound,
    "narrow": narrowed,
    "repeat": repeated,
    "repeat_interleave": repeated_each,
    "gather": _gather,
    "scatter_add_": _scatter,
    "index_add_": _scatter,
    "matmul": lambda m, a, k: product(m, a[0], a[1]) if len(a) > 1 else m.unknown(*a),
    "bmm": lambda m, a, k: product(m, a[0], a[1]) if len(a) > 1 else m.unknown(*a),
    "masked_fill": _masked,
    "tril": _masked,
    "triu": _masked,
    "masked_fill_": _masked_here,
    "tril_": _masked_here,
    "copy_": _copy_in,
    "zeros_like": _like,
    "ones_like": _like,
    "empty_like": _like,
    "full_like": _like,
    "rand_like": _like,
    "randn_like": _like,
    "quantile": _quantile,
    "topk": _topk,
    "sort": _sorted,
    "argsort": lambda m, a, k: _sorted(m, a, k)[0],
}
