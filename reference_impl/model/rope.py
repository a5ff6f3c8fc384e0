"""Rotary position embedding on the first `rope_dims` of each head (partial RoPE, #315).

The tables are float32 buffers built once for the longest sequence asked for and sliced; they are made outside of
inference mode, so that adaptation at evaluation can differentiate through them.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rope_base(base: float, rope_dims: int, sequence: int, train_len: int) -> float:
    """NTK rule: base * (T/train_len)^(rd/(rd-2)) when the sequence is longer than `train_len`, else `base`."""
    if sequence <= train_len or rope_dims <= 2:
        return base
    return base * (sequence / train_len) ** (rope_dims / (rope_dims - 2))


def rope_tables(sequence: int, rope_dims: int, base: float) -> tuple[Tensor, Tensor]:
    """Return cos and sin, each float32 (T, rope_dims/2)."""
    inverse = base ** (-torch.arange(0, rope_dims, 2, dtype=torch.float32) / rope_dims)
    angle = torch.outer(torch.arange(sequence, dtype=torch.float32), inverse)
    return angle.cos(), angle.sin()


def rotate(x_BTHD: Tensor, cos_TR: Tensor, sin_TR: Tensor) -> Tensor:
    """Rotate the first 2R dimensions of each head as halves (a, b) -> (a cos + b sin, -a sin + b cos); pass the
    rest.
    """
    half = cos_TR.size(1)
    cos, sin = cos_TR[None, :, None, :].to(x_BTHD.dtype), sin_TR[None, :, None, :].to(x_BTHD.dtype)
    a, b = x_BTHD[..., :half], x_BTHD[..., half : 2 * half]
    return torch.cat((a * cos + b * sin, b * cos - a * sin, x_BTHD[..., 2 * half :]), dim=-1)
