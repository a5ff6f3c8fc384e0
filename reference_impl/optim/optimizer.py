"""One step of the whole optimiser: average gradients over ranks, clip the average, Muon for matrices, AdamW for the
rest.

Clipping after averaging keeps every rank's coefficient equal; clipping each rank's own gradient first (as is common
in the field) does not (spec H26).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reference_impl.config import OptimConfig
from reference_impl.dist import sum_gradients, sum_tensor, world_size
from reference_impl.model.gpt import Gpt
from reference_impl.optim.groups import parameter_groups
from reference_impl.optim.muon import ParallelMuon, PlainMuon


class Optimizer:
    """Muon and AdamW behind one `step`."""

    def __init__(self, model: Gpt, config: OptimConfig) -> None:
        self.config = config
        groups = parameter_groups(model)
        matrices = list(groups.matrices.values())
        arguments = (matrices, config.newton_schulz, config.newton_schulz_steps, config.row_normalise)
        self.muon = ParallelMuon(*arguments) if config.muon == "parallel" else PlainMuon(*arguments)
        self.small = [*groups.tables.values(), *groups.scalars.values(), *groups.head.values()]
        listed = [
            {"params": list(groups.tables.values()), "lr": config.embed_lr, "weight_decay": config.embed_wd},
            {"params": list(groups.scalars.values()), "lr": config.scalar_lr, "weight_decay": config.scalar_wd},
            {"params": list(groups.head.values()), "lr": config.head_lr, "weight_decay": config.embed_wd},
        ]
        self.base_lrs = [group["lr"] for group in listed if group["params"]]
        self.adam = torch.optim.AdamW(
            [group for group in listed if group["params"]], betas=(config.beta1, config.beta2), eps=1e-8, fused=True
        )

    def zero(self) -> None:
        """Forget gradients."""
        self.muon.zero()
        self.adam.zero_grad(set_to_none=True)

    def step(self, scale: float, momentum: float) -> None:
        """Apply the accumulated gradients at learning-rate factor `scale` and Muon momentum `momentum`."""
        self.muon.reduce()
        if world_size() > 1:
            sum_gradients(self.small, 1.0 / world_size())
        clip = self._clip_factor()
        if self.config.grad_clip > 0:
            torch._foreach_mul_([p.grad for p in self.small if p.grad is not None], clip)
        for group, lr in zip(self.adam.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * scale
        self.adam.step()
        self.muon.apply(self.config.matrix_lr * scale, self.config.matrix_wd, momentum, clip)

    @torch.no_grad()
    def _clip_factor(self) -> Tensor:
        """min(1, limit / global norm of the averaged gradient)."""
        squares = sum_tensor(self.muon.squared_norm())
        if self.config.grad_clip <= 0:
            return torch.ones_like(squares)
        norms = torch._foreach_norm([p.grad for p in self.small if p.grad is not None])
        total = (squares + torch.stack(norms).square().sum()).sqrt()
        return (self.config.grad_clip / (total + 1e-6)).clamp_max(1.0)

    def state(self) -> dict[str, Any]:
        """Everything to restore, independent of the number of ranks."""
        return {"muon": self.muon.state(), "adam": _clone(self.adam.state_dict())}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.muon.load(state["muon"])
        self.adam.load_state_dict(_clone(state["adam"]))


def _clone(value: Any) -> Any:
    """Deep copy with tensors cloned."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clone(item) for item in value]
    return value
