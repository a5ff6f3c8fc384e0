"""Layers and functions that mix places or change the width: attention, convolutions, recurrences, look-ups."""

from __future__ import annotations

from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.place_layout import ahead
from auditor.interp.place_math import attended, judged, spread
from auditor.interp.places import MADE_WITH, NEVER, TIME, Axis, Flow, flows_in
from auditor.interp.values import Instance, Sym

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
_CONV: tuple[tuple[int, str, Any], ...] = ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
_SAME_LAYERS = frozenset([
    "LayerNorm", "RMSNorm", "GELU", "ReLU", "SiLU", "Sigmoid", "Tanh", "Dropout", "Identity", "Softplus", "ELU",
    "LeakyReLU", "Mish", "ReLU6", "Hardswish",
])  # fmt: skip


def linear(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    flow = args[0] if args else kwargs.get("input")
    weight = args[1] if len(args) > 1 else kwargs.get("weight")
    if not isinstance(flow, Flow) or isinstance(weight, Flow) or not flow.axes or flow.axes[-1].time:
        return m.unknown(*args)
    if m.flows.idle(weight):
        return m.unknown(*args)
    shape = weight.shape if isinstance(weight, Sym) else None
    made = flow.made([*flow.axes[:-1], Axis(shape[0] if shape and len(shape) == 2 else None)])
    made.tokens = False
    return made


def embedding(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    ids, weight = named(args, kwargs, ("input", "weight", ""))[:2]
    if not isinstance(ids, Flow) or isinstance(weight, Flow):
        return m.unknown(*args)
    shape = weight.shape if isinstance(weight, Sym) else None
    return embedded(ids, shape[1:] if shape is not None else (None,))


def embedded(ids: Flow, sizes: tuple[int | None, ...]) -> Flow:
    """Return the rows that a table holds for ids."""
    made = ids.made([*ids.axes, *[Axis(size) for size in sizes]])
    made.tokens, made.groups = False, None
    return made


def cross_entropy(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    prediction = args[0] if args else kwargs.get("input")
    target = args[1] if len(args) > 1 else kwargs.get("target")
    if not isinstance(prediction, Flow):
        return m.unknown(*args, *kwargs.values())
    whole = kwargs.get("reduction", "mean") != "none"
    axes = [] if whole else list(target.axes) if isinstance(target, Flow) else [Axis(None)]
    return judged(m, prediction, target, axes)


def attention(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    """Model F.scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal) on (..., T, D)."""
    query, key, value = named(args, kwargs, ("query", "key", "value"))
    mask = kwargs.get("attn_mask", args[3] if len(args) > 3 else None)
    causal = kwargs.get("is_causal", args[5] if len(args) > 5 else False)
    free = mask is None and causal is False
    return attended(m, query, key, value, -2, right=None if free else 0, words="attends without a causal mask")


def flash_attention(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    """Model flash_attn_func(q, k, v, causal=False, window_size=(-1, -1)) on (B, T, H, D)."""
    query, key, value = named(args, kwargs, ("q", "k", "v"))
    window = kwargs.get("window_size", (-1, -1))
    right = window[1] if isinstance(window, (tuple, list)) and len(window) == 2 else 0
    free = kwargs.get("causal", False) is False and len(args) <= 3 and isinstance(right, int)
    made = attended(
        m,
        query,
        key,
        value,
        -3,
        right=(None if right < 0 else right) if free else 0,
        words="attends without causal=True",
    )
    return (made, m.unknown(made)) if kwargs.get("return_attn_probs") is True else made


def flex_attention(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    query, key, value = named(args, kwargs, ("query", "key", "value"))
    score, block = (kwargs.get(n, args[i] if len(args) > i else None) for i, n in ((3, "score_mod"), (4, "block_mask")))
    free = score is None and block is None
    return attended(m, query, key, value, -2, right=None if free else 0, words="attends without a mask")


def named(args: Args, kwargs: Kwargs, names: tuple[str, str, str]) -> tuple[Any, Any, Any]:
    q, k, v = (args[i] if len(args) > i else kwargs.get(name) for i, name in enumerate(names))
    return q, k, v


def conv1d(m: Machine, args: Args, kwargs: Kwargs) -> Any:
    """Model F.conv1d(input, weight, bias, stride, padding, dilation) on (B, C, T)."""
    weight = args[1] if len(args) > 1 else kwargs.get("weight")
    shape = weight.shape if isinstance(weight, Sym) else None
    named = {n: kwargs.get(n, args[i] if len(args) > i else d) for i, n, d in _CONV}
    if not args or not isinstance(args[0], Flow) or shape is None or len(shape) != 3 or isinstance(weight, Flow):
        return m.unknown(*args)
    return convolved(m, args[0], shape[2], named["stride"], named["padding"], named["dilation"], shape[0])


def convolved(m: Machine, flow: Flow, width: Any, stride: Any, padding: Any, dilation: Any, out: Any) -> Any:
    """Model a convolution over the last axis."""
    width, stride, padding, dilation = (_only(value) for value in (width, stride, padding, dilation))
    reach = (width - 1) * dilation if isinstance(width, int) and isinstance(dilation, int) else None
    if padding == "valid":
        padding = 0
    left = reach // 2 if padding == "same" and reach is not None else padding
    last = flow.axes[-1] if flow.axes else Axis(None)
    if reach is None or stride != 1 or not isinstance(left, int) or last.time != TIME or last.size is None:
        return m.unknown(flow)
    right = reach - left if padding == "same" else left
    channels = Axis(out if isinstance(out, int) else None)
    made = flow.made([*flow.axes[:-2], channels, Axis(last.size + left + right - reach, TIME)])
    made.tokens = False
    if flow.reach != NEVER:
        made.reach = flow.reach + reach - left
        made.seen = ahead(m, flow, made.reach, f"a convolution {width} wide padded by {left} on the left")
    return made


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def layer(m: Machine, receiver: Instance, base: str, args: Args, kwargs: Kwargs) -> Any:
    """Call a library layer on a flow, by the name of its class."""
    flow = args[0] if args else next(iter(flows_in(kwargs.values())), None)
    made_with, settings = receiver.attrs.get(MADE_WITH, ((), {}))
    if base in _SAME_LAYERS and isinstance(flow, Flow):
        made = flow.made()
        made.tokens = False
        return made
    if base == "Linear" and isinstance(flow, Flow):
        return linear(m, (flow, receiver.attrs.get("weight")), {})
    if base == "Embedding" and isinstance(flow, Flow):
        return embedded(flow, (_at(made_with, settings, 1, "embedding_dim"),))
    if base == "Conv1d" and isinstance(flow, Flow) and made_with:
        width, stride, padding, dilation = (
            _at(made_with, settings, i, n, d)
            for i, n, d in ((2, "kernel_size", None), (3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
        )
        return convolved(m, flow, width, stride, padding, dilation, _at(made_with, settings, 1, "out_channels"))
    if base in ("LSTM", "GRU", "RNN") and isinstance(flow, Flow) and made_with:
        return _recurrent(m, flow, settings), m.unknown(*args)
    if base == "MultiheadAttention" and made_with and len(args) >= 3:
        return _multihead(m, args, kwargs, settings), m.unknown(*args)
    return m.unknown(*args, *kwargs.values())


def _at(args: Args, kwargs: Kwargs, place: int, name: str, default: Any = None) -> Any:
    value = kwargs.get(name, args[place] if len(args) > place else default)
    return None if isinstance(value, Sym) else value


def _recurrent(m: Machine, flow: Flow, settings: Kwargs) -> Any:
    axis = 1 if settings.get("batch_first") is True else 0
    both = settings.get("bidirectional", False)
    if len(flow.axes) != 3 or flow.axes[axis].time != TIME or both not in (True, False):
        return m.unknown(flow)
    made = spread(m, flow, axis, "a bidirectional pass") if both else flow.made()
    return made.made([*flow.axes[:-1], Axis(None)]) if isinstance(made, Flow) else made


def _multihead(m: Machine, args: Args, kwargs: Kwargs, settings: Kwargs) -> Any:
    query, key, value = args[:3]
    mask = kwargs.get("attn_mask", args[5] if len(args) > 5 else None)
    free = mask is None and kwargs.get("is_causal", False) is False
    axis = -2 if settings.get("batch_first") is True else -3
    return attended(m, query, key, value, axis, right=None if free else 0, words="attends without a causal mask")
