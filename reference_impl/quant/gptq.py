"""Full GPTQ (Frantar et al., arXiv 2210.17323): round column by column, pushing each error onto the columns not yet
rounded.

It lowers the error of the layer's *output* on the calibration distribution; the error of the weights themselves rises.
"""

from __future__ import annotations

import torch
from torch import Tensor

DAMPING = 0.01
BLOCK = 128


def gptq_round(weight_RC: Tensor, hessian_CC: Tensor, scale_R: Tensor, levels: int) -> Tensor:
    """Return int8 (R, C) for fixed row scales; `hessian_CC` is the sum of x x^T over calibration inputs."""
    weight, hessian = weight_RC.float().clone(), hessian_CC.double().clone()
    dead = hessian.diagonal() == 0
    hessian.diagonal()[dead] = 1.0
    weight[:, dead] = 0.0
    hessian.diagonal().add_(DAMPING * hessian.diagonal().mean())
    order = torch.argsort(hessian.diagonal(), descending=True)
    weight, hessian = weight[:, order], hessian[order][:, order]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    upper_CC = torch.linalg.cholesky(inverse, upper=True).float()
    quantised = torch.empty_like(weight)
    for start in range(0, weight.size(1), BLOCK):
        _round_block(weight, quantised, upper_CC, scale_R, levels, start, min(start + BLOCK, weight.size(1)))
    return quantised[:, torch.argsort(order)].to(torch.int8)


def _round_block(
    weight: Tensor, quantised: Tensor, upper: Tensor, scale_R: Tensor, levels: int, start: int, end: int
) -> None:
    """Round columns start..end-1 in place and push their error onto the columns behind the block in one product."""
    block, errors = weight[:, start:end].clone(), torch.zeros_like(weight[:, start:end])
    for column in range(end - start):
        w_R = block[:, column]
        q_R = (w_R / scale_R).round().clamp(-levels, levels)
        quantised[:, start + column] = q_R
        row = upper[start + column, start + column : end]
        errors[:, column] = (w_R - q_R * scale_R) / row[0]
        block[:, column:] -= errors[:, column, None] * row[None]
    weight[:, end:] -= errors @ upper[start:end, end:]
