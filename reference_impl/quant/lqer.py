"""LQER (arXiv 2402.02446; #1797): store a small low-rank correction of the rounding error of the worst tensors.

W = Wq + A B, A (m, r) in 2 bits with one scale, B (r, n) in 4 bits with one scale per group of 64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GROUP = 64


@dataclass(frozen=True)
class LowRank:
    """Integers and float16 scales of one correction."""

    a: Tensor
    a_scale: Tensor
    b: Tensor
    b_scale: Tensor

    def dense(self) -> Tensor:
        """A B in float32 (m, n)."""
        b = self.b.float() * self.b_scale.float().repeat_interleave(GROUP, dim=1)[:, : self.b.size(1)]
        return (self.a.float() * self.a_scale.float()) @ b


def low_rank_correction(error_MN: Tensor, rank: int) -> LowRank:
    """Best rank-r approximation of `error_MN`, its factors rounded to 2 and 4 bits."""
    u, s, vt = torch.linalg.svd(error_MN.float(), full_matrices=False)
    root = s[:rank].sqrt()
    a, b = u[:, :rank] * root, root[:, None] * vt[:rank]
    a_scale = (a.abs().max() / 1.5).clamp_min(1e-7).half()
    grouped = F.pad(b, (0, -b.size(1) % GROUP)).unflatten(1, (-1, GROUP))
    b_scale = (grouped.abs().amax(dim=2) / 7.5).clamp_min(1e-7).half()
    b_q = (b / b_scale.float().repeat_interleave(GROUP, dim=1)[:, : b.size(1)]).round().clamp(-8, 7)
    return LowRank((a / a_scale.float()).round().clamp(-2, 1).to(torch.int8), a_scale, b_q.to(torch.int8), b_scale)
