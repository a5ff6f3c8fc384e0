"""Exponential and stochastic weight averages of the parameters, float32; which one is exported is configuration.

Choosing between averages by their validation score is selection on validation (#865 did it); there is no such code
here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from reference_impl.config import OptimConfig


class Averages:
    """EMA: e <- d e + (1-d) p from the initial weights, after every step. SWA: uniform mean of late snapshots."""

    def __init__(self, model: nn.Module, config: OptimConfig) -> None:
        self.config = config
        self.model = model
        self.ema = [p.clone() for p in self._weights()] if config.ema_decay > 0 else []
        self.swa = [torch.zeros_like(p) for p in self._weights()] if config.swa_every > 0 else []
        self.snapshots = 0

    def update(self, step: int, scale: float) -> None:
        """Fold in the weights after step number `step` (1-based), taken at learning-rate factor `scale`."""
        if self.ema:
            decay = self.config.ema_decay
            if self.config.ema_warm:
                decay = min(decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.ema, self._weights(), 1 - decay)
        if self.swa and scale < self.config.swa_below and step % self.config.swa_every == 0:
            self.snapshots += 1
            torch._foreach_lerp_(self.swa, self._weights(), 1 / self.snapshots)

    def export(self) -> None:
        """Copy the configured average into the model, once, before quantisation; an empty SWA leaves the last
        weights.
        """
        source: list[Tensor] = []
        if self.config.export == "ema":
            source = self.ema
        if self.config.export == "swa" and self.snapshots:
            source = self.swa
        if source:
            for parameter, average in zip(self._weights(), source, strict=True):
                parameter.copy_(average)

    def state(self) -> dict[str, Any]:
        """Everything to restore."""
        ema, swa = [tensor.clone() for tensor in self.ema], [tensor.clone() for tensor in self.swa]
        return {"ema": ema, "swa": swa, "snapshots": self.snapshots}

    def load(self, state: dict[str, Any]) -> None:
        """Restore in place."""
        for mine, saved in ((self.ema, state["ema"]), (self.swa, state["swa"])):
            for tensor, value in zip(mine, saved, strict=True):
                tensor.copy_(value)
        self.snapshots = int(state["snapshots"])

    def _weights(self) -> list[Tensor]:
        """The live parameters; looked up each time, because the optimiser may re-house them in banks."""
        return [parameter.data for parameter in self.model.parameters()]
