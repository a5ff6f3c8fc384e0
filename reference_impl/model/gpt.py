"""The transformer: the forward pass reads top to bottom as the specification's sections 3.2 to 3.10.

Features: GQA with QK norm and gain, partial RoPE, XSA, value residual and value embeddings, head gates, bigram hash,
smear, LN scale, resid mix, plain or gated U-Net skips, depth recurrence, parallel lanes (P0, P2, P3), tied head,
tanh softcap. Not here: distribution, optimisation, evaluation. Shapes: B batch, T time, C width, V vocabulary.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_impl.config import ModelConfig
from reference_impl.model.attention import LoraSlot, document_mask
from reference_impl.model.block import Block
from reference_impl.model.embedding import BigramHash, Smear, ValueEmbedding
from reference_impl.model.linear import CastLinear, rms
from reference_impl.model.plan import layer_plan, skip_rows
from reference_impl.model.rope import rope_base, rope_tables


class Gpt(nn.Module):
    """A decoder-only language model; `loops` says how many extra passes the recurrent layers make."""

    def __init__(self, config: ModelConfig, sequence: int, bos_id: int = 1, dtype: torch.dtype = torch.float32) -> None:
        """Allocate for windows of up to `sequence` tokens; activations are computed in `dtype`."""
        super().__init__()
        self.config, self.bos_id, self.dtype, self.loops = config, bos_id, dtype, config.loops
        self.tok_emb = nn.Parameter(torch.empty(config.vocab, config.width))
        self.bigram = BigramHash(config, bos_id) if config.bigram_rows else None
        self.smear = Smear(config, bos_id) if config.smear != "none" else None
        self.value_embed = ValueEmbedding(config) if config.value_embed_dim else None
        self.blocks = nn.ModuleList([Block(config, layer) for layer in range(config.layers)])
        rows = skip_rows(config)
        if rows:
            self.skip_weights = nn.Parameter(torch.ones(rows, config.width))
        if config.skips == "gated":
            self.skip_gates = nn.Parameter(torch.zeros(rows, config.width))
        if config.value_residual:
            self.value_mix = nn.Parameter(torch.full((config.layers, 2), 0.5))
        if config.lanes in ("p2", "p3"):
            start = math.sqrt(1.1) if config.lanes == "p2" else 1.1
            self.par_resid = nn.Parameter(torch.full((config.layers, 2), start))
            self.par_post = nn.Parameter(torch.ones(config.layers, 2, 2))
        self.lm_head = None if config.tied else CastLinear(config.width, config.vocab)
        base = rope_base(config.rope_base, config.rope_dims, sequence, config.rope_train_len)
        cos_TR, sin_TR = rope_tables(sequence, config.rope_dims, base)
        self.register_buffer("rope_cos", cos_TR, persistent=False)
        self.register_buffer("rope_sin", sin_TR, persistent=False)
        self.final_gram: Tensor | None = None
        init_weights(self)

    def embed(self, ids_BT: Tensor) -> Tensor:
        """Token (+ bigram) embedding, normed, smeared before (v2) or after (v1) the norm: (B, T, C)."""
        x = F.embedding(ids_BT, self.tok_emb).to(self.dtype)
        if self.bigram is not None:
            x = x + self.bigram(ids_BT, self.dtype)
        if self.smear is not None and self.config.smear == "v2":
            x = self.smear(x, ids_BT)
        x = rms(x)
        if self.smear is not None and self.config.smear == "v1":
            x = self.smear(x, ids_BT)
        return x

    def hidden(self, ids_BT: Tensor, loras: list[LoraSlot] | None = None) -> Tensor:
        """Run the layer plan and the final norm: (B, T, C)."""
        if ids_BT.size(1) > self.rope_cos.size(0):
            raise ValueError(f"sequence {ids_BT.size(1)} is longer than the model's {self.rope_cos.size(0)}")
        plan = layer_plan(self.config, self.loops)
        state = Stream(self, ids_BT)
        slot = 0
        for layer in plan.encoder:
            state.run(layer, None if loras is None else loras[slot])
            state.skips.append(state.lanes)
            slot += 1
        for row, layer in enumerate(plan.decoder):
            if state.skips and self.config.skips != "none":
                state.join(row)
            state.run(layer, None if loras is None else loras[slot])
            slot += 1
        for layer in plan.tail:
            state.run(layer, None if loras is None else loras[slot])
            slot += 1
        return rms(state.output())

    def logits(self, ids_BT: Tensor, loras: list[LoraSlot] | None = None) -> Tensor:
        """Next-token logits, softcapped: (B, T, V) in the compute dtype. Position t sees ids up to t only."""
        h = self.hidden(ids_BT, loras)
        if self.final_gram is not None:
            flat = h.detach().flatten(0, 1).float()
            self.final_gram.addmm_(flat.T, flat)
        z = F.linear(h, self.tok_emb.to(h.dtype)) if self.lm_head is None else self.lm_head(h)
        if loras is not None:
            z = z + loras[-1].delta("head", h)
        cap = self.config.softcap
        return cap * torch.tanh(z / cap)

    def forward(self, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Mean cross-entropy in nats, computed in float32."""
        return F.cross_entropy(self.logits(ids_BT).float().flatten(0, 1), targets_BT.flatten())


class Stream:
    """The residual stream while a forward pass runs: one lane, or two from `lanes_start` on (spec 3.6, 3.8)."""

    def __init__(self, model: Gpt, ids_BT: Tensor) -> None:
        self.model, self.config, self.ids_BT = model, model.config, ids_BT
        self.x0 = model.embed(ids_BT)
        self.lanes: tuple[Tensor, ...] = (self.x0,)
        self.skips: list[tuple[Tensor, ...]] = []
        time = ids_BT.size(1)
        self.cos_TR, self.sin_TR = model.rope_cos[:time], model.rope_sin[:time]
        self.mask = document_mask(ids_BT, model.bos_id) if model.config.document_mask else None
        self.value_add = None if model.value_embed is None else model.value_embed(ids_BT, model.dtype)
        self.first_value: Tensor | None = None

    def run(self, layer: int, lora: LoraSlot | None) -> None:
        """Execute one physical layer on the stream."""
        block = self.model.blocks[layer]
        if self.config.lanes in ("p2", "p3") and layer >= self.config.lanes_start:
            self._run_lanes(block, layer, lora)
            return
        x_in = block.mix(self.lanes[0], self.x0)
        a = self._attention(block, layer, x_in, lora)
        if self.config.lanes == "p0" and layer >= self.config.lanes_start:
            self.lanes = (x_in + a + block.mlp_branch(x_in, lora),)
            return
        x = x_in + a
        self.lanes = (x + block.mlp_branch(x, lora),)

    def _run_lanes(self, block: Block, layer: int, lora: LoraSlot | None) -> None:
        """P2 (#1541) and P3 (#1529): attention and MLP both read before either writes."""
        lane0, lane1 = self.lanes if len(self.lanes) == 2 else (self.lanes[0], self.lanes[0])
        a = self._attention(block, layer, block.mix(lane0, self.x0), lora)
        mlp_in = block.mix(lane1, self.x0) if self.config.lanes == "p2" else lane1
        b = block.mlp_branch(mlp_in, lora)
        r = self.model.par_resid[layer].to(a.dtype)
        p = self.model.par_post[layer].to(a.dtype)
        if self.config.lanes == "p2":
            lane0 = r[1] * (r[0] * lane0 + p[0, 0] * a) + p[1, 0] * b
            lane1 = r[1] * (r[0] * lane1 + p[0, 1] * a) + p[1, 1] * b
        else:
            lane0 = r[0] * lane0 + p[0, 0] * a + p[1, 0] * b
            lane1 = r[1] * lane1 + p[0, 1] * a + p[1, 1] * b
        self.lanes = (lane0, lane1)

    def _attention(self, block: Block, layer: int, x_in: Tensor, lora: LoraSlot | None) -> Tensor:
        """The attention branch, with this layer's value embedding and its share of layer 0's values."""
        n = block.norm(x_in)
        extra = None
        if self.value_add is not None and layer in self.config.value_embed_layers:
            extra = self.value_add * self.model.value_embed.scale_of(layer).to(self.value_add.dtype)
        v = block.attn.values(n, extra)
        if self.config.value_residual:
            if self.first_value is None:
                self.first_value = v
            else:
                mix = self.model.value_mix[layer].to(v.dtype)
                v = mix[0] * self.first_value + mix[1] * v
        return block.attn_scale.to(n.dtype) * block.attn(n, v, self.cos_TR, self.sin_TR, self.mask, lora)

    def join(self, row: int) -> None:
        """Pop a skip connection into the stream: into both lanes in P2, into lane 0 in P3."""
        popped = self.skips.pop()
        joined = [self._join_lane(row, lane, popped[min(i, len(popped) - 1)]) for i, lane in enumerate(self.lanes)]
        self.lanes = (joined[0], self.lanes[1]) if self.config.lanes == "p3" and len(joined) == 2 else tuple(joined)

    def _join_lane(self, row: int, x: Tensor, skip: Tensor) -> Tensor:
        """x + w s (baseline), or g x + (1-g) w s with g = sigma(gate) (#1089)."""
        skip = self.model.skip_weights[row].to(x.dtype) * skip
        if self.config.skips == "plain":
            return x + skip
        gate = torch.sigmoid(self.model.skip_gates[row]).to(x.dtype)
        return gate * x + (1 - gate) * skip

    def output(self) -> Tensor:
        """The stream after the last layer: lane 1 in P2, the mean of both in P3."""
        if len(self.lanes) == 1:
            return self.lanes[0]
        return self.lanes[1] if self.config.lanes == "p2" else (self.lanes[0] + self.lanes[1]) / 2


@torch.no_grad()
def init_weights(model: Gpt) -> None:
    """Initialise every matrix; scalars and gates start as their modules say (spec 3.11).

    embeddings N(0, embed_std^2); value table N(0, 0.01^2); matrices orthogonal when both sides are >= 64 (or the
    baseline's uniform +-1/sqrt(inputs)); output projections (attention, MLP, bigram, value) zero.
    """
    model.tok_emb.normal_(0.0, model.config.embed_std)
    if model.value_embed is not None:
        model.value_embed.table.normal_(0.0, 0.01)
    for name, module in model.named_modules():
        if not isinstance(module, CastLinear):
            continue
        weight = module.weight
        if name.endswith("proj") or name == "lm_head":
            weight.zero_()
        elif model.config.init == "orthogonal" and min(weight.shape) >= 64:
            nn.init.orthogonal_(weight)
        else:
            bound = weight.size(1) ** -0.5
            weight.uniform_(-bound, bound)
