"""One physical layer: its norms, its two branches and their scales. How branches are joined is the stream's
business.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impl.config import ModelConfig
from reference_impl.model.attention import Attention, LoraSlot
from reference_impl.model.linear import rms
from reference_impl.model.mlp import Mlp


class Block(nn.Module):
    """Parameters of one layer; `ln_scale` multiplies both branch inputs by 1/sqrt(layer+1), also inside loops."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attn = Attention(config, layer)
        self.mlp = Mlp(config)
        self.attn_scale = nn.Parameter(torch.ones(config.width))
        self.mlp_scale = nn.Parameter(torch.ones(config.width))
        self.resid_mix = nn.Parameter(torch.stack((torch.ones(config.width), torch.zeros(config.width))))
        self.input_scale = (layer + 1) ** -0.5 if config.ln_scale else 1.0

    def mix(self, x: Tensor, x0: Tensor) -> Tensor:
        """m0 x + m1 x0: the block's input, a learned share of the first embedding included."""
        mix = self.resid_mix.to(x.dtype)
        return mix[0] * x + mix[1] * x0

    def norm(self, x: Tensor) -> Tensor:
        """The branch input."""
        return rms(x) * self.input_scale

    def mlp_branch(self, x: Tensor, lora: LoraSlot | None) -> Tensor:
        """mlp_scale * MLP(norm(x))."""
        return self.mlp_scale.to(x.dtype) * self.mlp(self.norm(x), lora)
