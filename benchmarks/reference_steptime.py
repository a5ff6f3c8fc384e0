"""Step time of the naive-baseline preset at reduced width against a plain loop of the same shape, in CPU time.

    python benchmarks/reference_steptime.py [--steps 20]

The plain loop is one nn.Module of torch built-ins with the same maths (grouped attention, QK norm, full RoPE, relu^2,
resid mix, U-Net skips, tied softcapped head), trained the nanoGPT way: one batch, backward, optimiser. Twice: with
AdamW for everything, and with a matrix-by-matrix Muon for block matrices. Steps of the three alternate, and process
time of one thread is compared, so that other programs on the machine disturb the ratio little.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_impl.config import Config
from reference_impl.data.loaders import TrainLoader
from reference_impl.data.shards import write_shard
from reference_impl.model.gpt import Gpt
from reference_impl.presets import preset
from reference_impl.trainer import Trainer

CPU = torch.device("cpu")


class PlainBlock(nn.Module):
    """A layer, written straight down."""

    def __init__(self, width: int, heads: int, kv_heads: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.dim = heads, kv_heads, width // heads
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.ModuleList([nn.Linear(width, kv_heads * self.dim, bias=False) for _ in range(2)])
        self.o = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)
        self.gain = nn.Parameter(torch.full((heads, 1, 1), 1.5))
        self.mix = nn.Parameter(torch.stack((torch.ones(width), torch.zeros(width))))
        self.scales = nn.Parameter(torch.ones(2, width))

    def forward(self, x: Tensor, x0: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        b, t, c = x.shape
        x = self.mix[0] * x + self.mix[1] * x0
        n = F.rms_norm(x, (c,))
        q = self.q(n).view(b, t, self.heads, self.dim).transpose(1, 2)
        k = self.kv[0](n).view(b, t, self.kv_heads, self.dim).transpose(1, 2)
        v = self.kv[1](n).view(b, t, self.kv_heads, self.dim).transpose(1, 2)
        q, k = F.rms_norm(q, (self.dim,)), F.rms_norm(k, (self.dim,))
        q, k = rotate_plain(q, cos, sin) * self.gain, rotate_plain(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.scales[0] * self.o(y.transpose(1, 2).reshape(b, t, c))
        return x + self.scales[1] * self.down(F.relu(self.up(F.rms_norm(x, (c,)))).square())


def rotate_plain(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of (B, H, T, D)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin), dim=-1)


class PlainGpt(nn.Module):
    """The baseline in one class."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        m = config.model
        self.emb = nn.Parameter(0.005 * torch.randn(m.vocab, m.width))
        self.blocks = nn.ModuleList([PlainBlock(m.width, m.heads, m.kv_heads, m.mlp_hidden) for _ in range(m.layers)])
        self.skips = nn.Parameter(torch.ones(m.layers // 2, m.width))
        angle = torch.outer(
            torch.arange(config.run.sequence), 10_000.0 ** (-torch.arange(0, m.head_dim, 2) / m.head_dim)
        )
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Mean loss."""
        x = x0 = F.rms_norm(F.embedding(ids, self.emb), (self.emb.size(1),))
        saved: list[Tensor] = []
        half = len(self.blocks) // 2
        for i, block in enumerate(self.blocks):
            if i >= half and saved:
                x = x + self.skips[i - half] * saved.pop()
            x = block(x, x0, self.cos, self.sin)
            if i < half:
                saved.append(x)
        z = F.rms_norm(x, (x.size(-1),)) @ self.emb.T
        return F.cross_entropy((30 * torch.tanh(z / 30)).flatten(0, 1), targets.flatten())


def muon_plain(matrices: list[Tensor], buffers: list[Tensor], lr: float) -> None:
    """Muon, one matrix after another."""
    with torch.no_grad():
        for p, buffer in zip(matrices, buffers, strict=True):
            buffer.mul_(0.95).add_(p.grad)
            x = p.grad + 0.95 * buffer
            tall = x.size(0) > x.size(1)
            x = x.T if tall else x
            x = x / (x.norm() + 1e-7)
            for _ in range(5):
                a = x @ x.T
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            p.add_(x.T if tall else x, alpha=-lr * max(1, p.size(0) / p.size(1)) ** 0.5)


def plain_loop(config: Config, loader: TrainLoader, with_muon: bool) -> Callable[[], None]:
    """A function that does one step of the plain loop."""
    model = PlainGpt(config)
    matrices = [p for name, p in model.named_parameters() if name.endswith(".weight")] if with_muon else []
    held = {id(p) for p in matrices}
    adam = torch.optim.AdamW([p for p in model.parameters() if id(p) not in held], lr=1e-3, fused=True)
    buffers = [torch.zeros_like(p) for p in matrices]

    def step() -> None:
        parts = loader.next()
        x, y = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
        model(x, y).backward()
        adam.step()
        muon_plain(matrices, buffers, 0.02)
        model.zero_grad(set_to_none=True)

    return step


def main() -> None:
    """Print the median CPU time per step of the three loops and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    config = preset("naive_baseline")
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder) / "fineweb_train_000000.bin", np.random.default_rng(0).integers(4, 1024, 200_000))
        model = dataclasses.replace(config.model, width=128, heads=4, kv_heads=2, mlp_hidden=256, rope_dims=32)
        run = dataclasses.replace(config.run, sequence=256, batch_tokens=8192, sub_batches_per_pass=8, max_seconds=0.0)
        place = dataclasses.replace(config.place, shards=folder)
        config = dataclasses.replace(config, model=model, run=run, place=place)
        trainer = Trainer(config, Gpt(model, run.sequence), TrainLoader(config, 0, 1), CPU)
        loops: dict[str, Callable[[], object]] = {
            "reference": lambda: trainer.train_step(0.0),
            "plain + Muon": plain_loop(config, TrainLoader(config, 0, 1), True),
            "plain + AdamW": plain_loop(config, TrainLoader(config, 0, 1), False),
        }
        times: dict[str, list[float]] = {name: [] for name in loops}
        for index in range(steps + 2):
            for name, step in loops.items():
                started = time.process_time()
                step()
                if index >= 2:
                    times[name].append(time.process_time() - started)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name}: {1e3 * median:.1f} ms CPU per step, reference/this {medians['reference'] / median:.3f}")


if __name__ == "__main__":
    main()
