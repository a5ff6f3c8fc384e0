"""Row scales and rounding of weight matrices (spec 5.1). Symmetric integers in [-levels, levels], one float16 scale
a row.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LITE_QUANTILES = (0.999, 0.9995, 0.9999, 0.99999, 1.0)


def quantile_scale(weight_RC: Tensor, levels: int, quantile: float) -> Tensor:
    """Row scale that clips at a quantile of |w|: (R,). The floor 1/levels is the baseline's."""
    clip_R = torch.quantile(weight_RC.abs().float(), quantile, dim=1)
    return _storable(torch.where(clip_R > 0, clip_R / levels, torch.full_like(clip_R, 1.0 / levels)))


def sdclip_scale(weight_RC: Tensor, levels: int, k: float) -> Tensor:
    """Row scale k * std(row) / levels (#1394): k is the size knob, coded bits = 2.047 + log2(levels/k)."""
    return _storable((k * weight_RC.float().std(dim=1) / levels).clamp_min(1e-7))


def lite_scale(weight_RC: Tensor, levels: int) -> Tensor:
    """Of five quantile clips, the one with the least squared error, chosen per row (GPTQ-lite, #374, #865)."""
    best_R, error_R = None, None
    for quantile in LITE_QUANTILES:
        scale_R = quantile_scale(weight_RC, levels, quantile)
        trial_R = (dequantise(round_rows(weight_RC, scale_R, levels), scale_R) - weight_RC).square().sum(dim=1)
        if best_R is None:
            best_R, error_R = scale_R, trial_R
        else:
            better = trial_R < error_R
            best_R, error_R = torch.where(better, scale_R, best_R), torch.where(better, trial_R, error_R)
    return best_R


def row_scale(weight_RC: Tensor, method: str, levels: int, k: float) -> Tensor:
    """Row scales by the configured method: (R,) float32 that float16 holds exactly."""
    if method == "sdclip":
        return sdclip_scale(weight_RC, levels, k)
    if method == "lite":
        return lite_scale(weight_RC, levels)
    return quantile_scale(weight_RC, levels, 0.9999984)


def round_rows(weight_RC: Tensor, scale_R: Tensor, levels: int) -> Tensor:
    """Nearest integers, int8 (R, C)."""
    return (weight_RC.float() / scale_R[:, None]).round().clamp(-levels, levels).to(torch.int8)


def dequantise(q_RC: Tensor, scale_R: Tensor) -> Tensor:
    """float32 (R, C)."""
    return q_RC.float() * scale_R.float()[:, None]


def gaussian_bits(levels: int, k: float) -> float:
    """Coded bits per weight that SDClip gives on Gaussian rows: 0.5 log2(2 pi e) + log2(levels / k)."""
    return 0.5 * math.log2(2 * math.pi * math.e) + math.log2(levels / k)


def entropy_bits(q: Tensor) -> float:
    """Empirical order-0 entropy of integers, bits each."""
    counts = torch.unique(q, return_counts=True)[1].double()
    p = counts / counts.sum()
    return float(-(p * p.log2()).sum())


def _storable(scale_R: Tensor) -> Tensor:
    """Round to float16 before use, so that the rounding sees the very scale that is stored."""
    return scale_R.clamp(6e-8, 6e4).half().float()
