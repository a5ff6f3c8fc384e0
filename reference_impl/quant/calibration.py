"""Collect x^T x for every matrix from legal text only: training batches inside the time budget, or the model's own
samples.

There is no function here that takes validation tokens. Collection runs the very graph that evaluation runs, loops
included.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from reference_impl.dist import sum_tensor
from reference_impl.model.gpt import Gpt
from reference_impl.model.linear import CastLinear


@torch.no_grad()
def collect_hessians(model: Gpt, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """Return {parameter name: sum of x x^T (in, in)} over int64 batches (B, T), summed over ranks.

    Repeated layers accumulate over all their passes; the tied embedding uses the final norm's output.
    """
    linears = {f"{name}.weight": module for name, module in model.named_modules() if isinstance(module, CastLinear)}
    device = model.tok_emb.device
    model.loops = model.config.loops
    for linear in linears.values():
        linear.gram = torch.zeros(linear.weight.size(1), linear.weight.size(1), device=device)
    model.final_gram = torch.zeros(model.config.width, model.config.width, device=device)
    try:
        for ids_BT in batches:
            model.logits(ids_BT.to(device))
        grams = {name: linear.gram for name, linear in linears.items()}
        grams["tok_emb"] = model.final_gram
        return {name: sum_tensor(gram) for name, gram in grams.items()}
    finally:
        for linear in linears.values():
            linear.gram = None
        model.final_gram = None


@torch.no_grad()
def generate_calibration(model: Gpt, count: int, length: int, temperature: float, seed: int) -> Tensor:
    """Sample `count` sequences from the model itself: int64 (count, length). Touches no data; recomputes the prefix
    (#1019).
    """
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(model.config.vocab, (count, 1), generator=generator)
    while ids.size(1) < length:
        logits = model.logits(ids.to(model.tok_emb.device))[:, -1].float().cpu()
        drawn = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=generator)
        ids = torch.cat((ids, drawn), dim=1)
    return ids
