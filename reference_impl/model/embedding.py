"""The input path: token table, bigram hash, smear gates, value embeddings (spec 3.2, 3.4).

Everything here looks at the current and earlier *input* tokens only. Across a document break nothing may leak: a BOS
token takes nothing from its predecessor in any of these (the fix of #1851), in training, evaluation and adaptation
alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impl.config import ModelConfig
from reference_impl.model.linear import CastLinear

SMEAR_INPUTS = 12


def not_bos(ids_BT: Tensor, bos_id: int, dtype: torch.dtype) -> Tensor:
    """1 where a token may look at its predecessor, 0 at BOS: (B, T, 1)."""
    return (ids_BT != bos_id).unsqueeze(-1).to(dtype)


def previous(x_BTC: Tensor) -> Tensor:
    """Shift one step right in time, zeros first."""
    return torch.cat((torch.zeros_like(x_BTC[:, :1]), x_BTC[:, :-1]), dim=1)


class BigramHash(nn.Module):
    """A hashed table of token pairs: row ((36313 id_t) xor (27191 id_{t-1})) mod (rows-1); the last row where there
    is no pair.

    Sources: #65, #162. Keys hold the current and the previous input token, never the target.
    """

    def __init__(self, config: ModelConfig, bos_id: int) -> None:
        super().__init__()
        self.rows, self.bos_id, self.mask_bos = config.bigram_rows, bos_id, config.bos_mask
        self.table = nn.Parameter(torch.zeros(config.bigram_rows, config.bigram_dim))
        self.proj = CastLinear(config.bigram_dim, config.width)
        self.scale = nn.Parameter(torch.tensor(0.05))

    def index(self, ids_BT: Tensor) -> Tensor:
        """Table rows (B, T)."""
        before = torch.cat((torch.zeros_like(ids_BT[:, :1]), ids_BT[:, :-1]), dim=1)
        row_BT = ((36313 * ids_BT) ^ (27191 * before)) % (self.rows - 1)
        alone = torch.zeros_like(ids_BT, dtype=torch.bool)
        alone[:, 0] = True
        if self.mask_bos:
            alone = alone | (ids_BT == self.bos_id)
        return torch.where(alone, self.rows - 1, row_BT)

    def forward(self, ids_BT: Tensor, dtype: torch.dtype) -> Tensor:
        """Addition to the token embedding (B, T, C)."""
        return self.proj(self.table[self.index(ids_BT)].to(dtype)) * self.scale.to(dtype)


class Smear(nn.Module):
    """Mix in the previous embedding. v1 (#65): (1-g) x_t + g x_{t-1}, g = sigma(gate); v2 (#1667): identity at init."""

    def __init__(self, config: ModelConfig, bos_id: int) -> None:
        super().__init__()
        self.kind, self.bos_id, self.mask_bos = config.smear, bos_id, config.bos_mask
        if self.kind == "v1":
            self.gate = nn.Parameter(torch.zeros(config.width))
        else:
            self.weight = nn.Parameter(torch.zeros(1, SMEAR_INPUTS))
            self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x_BTC: Tensor, ids_BT: Tensor) -> Tensor:
        """Return the mixed embedding (B, T, C)."""
        before = previous(x_BTC)
        if self.kind == "v1":
            amount = torch.sigmoid(self.gate).to(x_BTC.dtype).expand_as(x_BTC)
            if self.mask_bos:
                before = before * not_bos(ids_BT, self.bos_id, x_BTC.dtype)
            return (1 - amount) * x_BTC + amount * before
        if self.mask_bos:
            before = before * not_bos(ids_BT, self.bos_id, x_BTC.dtype)
        gate = torch.sigmoid(x_BTC[..., :SMEAR_INPUTS] @ self.weight.to(x_BTC.dtype).T)
        return x_BTC + self.strength.to(x_BTC.dtype) * gate * before


class ValueEmbedding(nn.Module):
    """A shared table added to the values of some layers (#374): rows N(0, 0.01^2), zero projection, scalar 0.1."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layers = config.value_embed_layers
        self.table = nn.Parameter(torch.empty(config.vocab, config.value_embed_dim))
        self.proj = CastLinear(config.value_embed_dim, config.kv_heads * config.head_dim)
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.layer_scales = nn.ParameterList([nn.Parameter(torch.ones(())) for _ in self.layers])

    def forward(self, ids_BT: Tensor, dtype: torch.dtype) -> Tensor:
        """Shared value addition (B, T, K*D), before the layer's own scale."""
        return self.proj(self.table[ids_BT].to(dtype)) * self.scale.to(dtype)

    def scale_of(self, layer: int) -> Tensor:
        """The scalar of one listed layer."""
        return self.layer_scales[self.layers.index(layer)]
