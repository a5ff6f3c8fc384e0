"""FlashAttention's functions computed by torch's own scaled dot product attention, with their memory layout."""

from __future__ import annotations

import itertools
from typing import Any


def dense(
    q: Any, k: Any, v: Any, *rest: Any, causal: bool = False, softmax_scale: float | None = None, **_: Any
) -> Any:
    """Attend over q, k, v of shape (batch, time, heads, head_dim); fewer key heads than query heads are shared."""
    from torch.nn.functional import scaled_dot_product_attention

    q_BHTD, k_BHTD, v_BHTD = (tensor.transpose(1, 2) for tensor in (q, k, v))
    repeat = q_BHTD.size(1) // k_BHTD.size(1)
    if repeat > 1:
        k_BHTD, v_BHTD = (tensor.repeat_interleave(repeat, dim=1) for tensor in (k_BHTD, v_BHTD))
    out_BHTD = scaled_dot_product_attention(q_BHTD, k_BHTD, v_BHTD, is_causal=bool(causal), scale=softmax_scale)
    return out_BHTD.transpose(1, 2)


def varlen(q: Any, k: Any, v: Any, cu_seqlens_q: Any = None, cu_seqlens_k: Any = None, *rest: Any, **named: Any) -> Any:
    """Attend within each document of packed q, k, v of shape (tokens, heads, head_dim); bounds in `cu_seqlens_q`."""
    import torch

    bounds = [int(bound) for bound in cu_seqlens_q]
    parts = [
        dense(q[a:b][None], k[a:b][None], v[a:b][None], **_plain(named))[0]
        for a, b in itertools.pairwise(bounds)
        if b > a
    ]
    done = sum(part.size(0) for part in parts)
    return torch.cat([*parts, q.new_zeros(q.size(0) - done, *v.shape[1:])])


def _plain(named: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in named.items() if key in ("causal", "softmax_scale")}
