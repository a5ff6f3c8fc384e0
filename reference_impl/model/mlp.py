"""The feed-forward branch: relu^2, LeakyReLU^2 or SwiGLU (spec 3.5)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reference_impl.config import ModelConfig
from reference_impl.model.attention import LoraSlot
from reference_impl.model.linear import CastLinear


class Mlp(nn.Module):
    """Wdown act(Wup n)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.activation, self.slope = config.activation, config.leaky_slope
        self.fc = CastLinear(config.width, config.mlp_hidden)
        self.proj = CastLinear(config.mlp_hidden, config.width)
        if self.activation == "swiglu":
            self.gate = CastLinear(config.width, config.mlp_hidden)

    def forward(self, n_BTC: Tensor, lora: LoraSlot | None = None) -> Tensor:
        """Map the normed input (B, T, C) to (B, T, C). LeakyReLU^2 squares after the leak, so it is never negative."""
        h = self.fc(n_BTC)
        if self.activation == "relu2":
            h = F.relu(h).square()
        elif self.activation == "leaky2":
            h = F.leaky_relu(h, self.slope).square()
        else:
            h = F.silu(self.gate(n_BTC)) * h
        out = self.proj(h)
        return out if lora is None else out + lora.delta("mlp", n_BTC)
