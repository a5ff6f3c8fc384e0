"""The one linear layer: float32 master weight, cast to the activation's dtype at use, so CPU and GPU share a code path.

Two hooks for other parts live here because every matrix passes here: `qat_levels` (late quantisation-aware training)
and `gram` (the Hessian x^T x that GPTQ needs).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fake_quantise(weight_OI: Tensor, levels: int) -> Tensor:
    """Round to `levels` steps a side with one scale per row, gradient passed straight through (spec 4.4)."""
    scale_O1 = (weight_OI.abs().amax(dim=1, keepdim=True) / levels).clamp_min(1e-8)
    rounded = (weight_OI / scale_O1).round().clamp(-levels - 1, levels) * scale_O1
    return weight_OI + (rounded - weight_OI).detach()


class CastLinear(nn.Module):
    """y = x W^T without bias; W is float32 (out, in)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.qat_levels = 0
        self.gram: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        if self.gram is not None:
            flat_NI = x.detach().flatten(0, -2).float()
            self.gram.addmm_(flat_NI.T, flat_NI)
        weight = fake_quantise(self.weight, self.qat_levels) if self.qat_levels else self.weight
        return F.linear(x, weight.to(x.dtype))


def rms(x: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last dimension, no weight."""
    return F.rms_norm(x, (x.size(-1),))
