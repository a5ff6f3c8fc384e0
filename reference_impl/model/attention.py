"""Grouped-query attention with QK norm, per-head gain, partial RoPE, exclusive self attention and head gates (spec
3.3).

Shapes: B batch, T time, C width, H query heads, K key/value heads, G = H/K, D head width. One function computes
attention: FlashAttention 3 where it is installed and no mask is asked for, `scaled_dot_product_attention` otherwise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_impl.config import ModelConfig
from reference_impl.model.linear import CastLinear, rms
from reference_impl.model.rope import rotate

try:
    from flash_attn_interface import flash_attn_func
except ImportError:
    flash_attn_func = None

SPARSE_GATE_INPUTS = 12


def attend(q_BTHD: Tensor, k_BTKD: Tensor, v_BTKD: Tensor, mask_BTT: Tensor | None) -> Tensor:
    """Causal softmax attention with scale 1/sqrt(D); query head h reads key/value head h*K//H. Returns (B, T, H, D)."""
    if flash_attn_func is not None and mask_BTT is None and q_BTHD.is_cuda and q_BTHD.dtype == torch.bfloat16:
        return flash_attn_func(q_BTHD, k_BTKD, v_BTKD, causal=True)
    q, k, v = q_BTHD.transpose(1, 2), k_BTKD.transpose(1, 2), v_BTKD.transpose(1, 2)
    grouped = q.size(1) != k.size(1)
    if mask_BTT is None:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    else:
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_BTT[:, None], enable_gqa=grouped)
    return y.transpose(1, 2)


def document_mask(ids_BT: Tensor, bos_id: int) -> Tensor:
    """Boolean (B, T, T): causal, and only within the document that a token belongs to (spec 3.9)."""
    document_BT = (ids_BT == bos_id).cumsum(dim=1)
    same = document_BT[:, :, None] == document_BT[:, None, :]
    return same & torch.ones(ids_BT.size(1), ids_BT.size(1), dtype=torch.bool, device=ids_BT.device).tril()


def exclude_self(y_BTHD: Tensor, v_BTKD: Tensor) -> Tensor:
    """Remove from each head's output its component along the position's own value (XSA, arXiv 2603.09078)."""
    batch, time, heads, dim = y_BTHD.shape
    u_BTK1D = F.normalize(v_BTKD, dim=-1).unsqueeze(3)
    y_BTKGD = y_BTHD.reshape(batch, time, v_BTKD.size(2), heads // v_BTKD.size(2), dim)
    along = (y_BTKGD * u_BTK1D).sum(dim=-1, keepdim=True)
    return (y_BTKGD - along * u_BTK1D).reshape(batch, time, heads, dim)


class Attention(nn.Module):
    """One attention branch; no biases."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        width, kv_width = config.width, config.kv_heads * config.head_dim
        self.heads, self.kv_heads, self.head_dim = config.heads, config.kv_heads, config.head_dim
        self.exclusive = layer >= config.layers - config.xsa_last
        self.gate_kind = config.head_gate
        self.c_q = CastLinear(width, width)
        self.c_k = CastLinear(width, kv_width)
        self.c_v = CastLinear(width, kv_width)
        self.proj = CastLinear(width, width)
        self.q_gain = nn.Parameter(torch.full((config.heads,), config.qk_gain))
        if self.gate_kind == "full":
            self.gate_weight = nn.Parameter(torch.zeros(config.heads, width))
            self.gate_bias = nn.Parameter(torch.full((config.heads,), 4.0))
        if self.gate_kind == "sparse":
            self.gate_weight = nn.Parameter(torch.zeros(config.heads, SPARSE_GATE_INPUTS))

    def values(self, n_BTC: Tensor, extra_v: Tensor | None) -> Tensor:
        """Value heads (B, T, K, D), the value embedding added where there is one."""
        v = self.c_v(n_BTC)
        if extra_v is not None:
            v = v + extra_v.to(v.dtype)
        return v.unflatten(-1, (self.kv_heads, self.head_dim))

    def forward(
        self,
        n_BTC: Tensor,
        v_BTKD: Tensor,
        cos_TR: Tensor,
        sin_TR: Tensor,
        mask_BTT: Tensor | None,
        lora: LoraSlot | None,
    ) -> Tensor:
        """Attention of the normed input; `v_BTKD` comes from `values`, perhaps mixed with layer 0's."""
        q, k = self.c_q(n_BTC), self.c_k(n_BTC)
        if lora is not None:
            q, k = q + lora.delta("q", n_BTC), k + lora.delta("k", n_BTC)
            v_BTKD = v_BTKD + lora.delta("v", n_BTC).unflatten(-1, (self.kv_heads, self.head_dim))
        q_BTHD = rotate(rms(q.unflatten(-1, (self.heads, self.head_dim))), cos_TR, sin_TR)
        k_BTKD = rotate(rms(k.unflatten(-1, (self.kv_heads, self.head_dim))), cos_TR, sin_TR)
        q_BTHD = q_BTHD * self.q_gain.to(q.dtype)[:, None]
        y_BTHD = attend(q_BTHD, k_BTKD, v_BTKD, mask_BTT)
        if self.exclusive:
            y_BTHD = exclude_self(y_BTHD, v_BTKD)
        y_BTHD = self.gate(y_BTHD, n_BTC)
        y_BTC = y_BTHD.flatten(2)
        out = self.proj(y_BTC)
        return out if lora is None else out + lora.delta("o", y_BTC)

    def gate(self, y_BTHD: Tensor, n_BTC: Tensor) -> Tensor:
        """Scale each head by a gate of the branch input: full (#865) sigma(w.n + b), sparse (#1787) sigma(w.n[:12])."""
        if self.gate_kind == "full":
            gate_BTH = torch.sigmoid(F.linear(n_BTC, self.gate_weight.to(n_BTC.dtype), self.gate_bias.to(n_BTC.dtype)))
            return y_BTHD * gate_BTH[..., None]
        if self.gate_kind == "sparse":
            head_in = n_BTC[..., :SPARSE_GATE_INPUTS]
            return y_BTHD * torch.sigmoid(F.linear(head_in, self.gate_weight.to(n_BTC.dtype)))[..., None]
        return y_BTHD


class LoraSlot(nn.Module):
    """Low-rank additions of one executed layer for a batch of documents: y += (alpha/r) x A^T B^T, one A, B a document.

    It lives beside attention because attention is what applies it; the evaluation that trains it is
    evaluate/lora_ttt.py. B starts at zero, so an untrained slot changes nothing.
    """

    def __init__(self, sizes: dict[str, tuple[int, int]], documents: int, rank: int, alpha: float) -> None:
        """`sizes` maps a place ("q", "k", "v", "o", "mlp", "head") to (inputs, outputs)."""
        super().__init__()
        self.scale = alpha / rank
        self.a = nn.ParameterDict()
        self.b = nn.ParameterDict()
        for place, (inputs, outputs) in sizes.items():
            bound = inputs**-0.5
            self.a[place] = nn.Parameter(torch.empty(documents, rank, inputs).uniform_(-bound, bound))
            self.b[place] = nn.Parameter(torch.zeros(documents, outputs, rank))

    def delta(self, place: str, x_BTC: Tensor) -> Tensor:
        """The addition at one place: (B, T, inputs) -> (B, T, outputs)."""
        low_BTR = x_BTC @ self.a[place].to(x_BTC.dtype).transpose(1, 2)
        return self.scale * (low_BTR @ self.b[place].to(x_BTC.dtype).transpose(1, 2))
