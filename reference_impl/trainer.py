"""One training step, and everything that must be remembered between steps.

`state`/`load` serve both resuming and the compile warm-up: what a checkpoint restores, a warm-up leaves untouched.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from reference_impl.config import VIRTUAL_RANKS, Config
from reference_impl.data.loaders import TrainLoader
from reference_impl.dist import world_size
from reference_impl.model.gpt import Gpt
from reference_impl.model.linear import CastLinear
from reference_impl.model.plan import loops_at
from reference_impl.optim.averaging import Averages
from reference_impl.optim.optimizer import Optimizer
from reference_impl.optim.schedule import lr_scale, muon_momentum, progress
from reference_impl.quant.calibration import collect_hessians


class Trainer:
    """Model, optimiser, loader and averages of one run."""

    def __init__(self, config: Config, model: Gpt, loader: TrainLoader, device: torch.device) -> None:
        self.config, self.model, self.loader, self.device = config, model, loader, device
        self.optimizer = Optimizer(model, config.optim)
        self.averages = Averages(model, config.optim)
        self.step, self.elapsed, self.qat = 0, 0.0, False
        self.loss_of: nn.Module = model
        if config.run.compile and device.type == "cuda":
            self.loss_of = torch.compile(model, dynamic=False)

    def train_step(self, budget: float) -> Tensor:
        """Do one step at the schedule's place for `self.elapsed` of `budget` seconds; return this rank's mean loss."""
        optim, iterations = self.config.optim, self.config.run.iterations
        self.model.loops = loops_at(self.config.model, progress(self.step, iterations, self.elapsed, budget))
        scale = lr_scale(optim, self.step, iterations, self.elapsed, budget)
        batches = self._passes()
        if not self.qat and scale < optim.late_qat_below:
            self.enable_qat(*batches[0])
        self.model.train()
        self.optimizer.zero()
        losses = []
        for x_BT, y_BT in batches:
            loss = self.loss_of(x_BT, y_BT) / len(batches)
            loss.backward()
            losses.append(loss.detach())
        self.optimizer.step(scale, muon_momentum(optim, self.step))
        self.step += 1
        self.averages.update(self.step, scale)
        return torch.stack(losses).sum()

    def _passes(self) -> list[tuple[Tensor, Tensor]]:
        """This rank's 8/N sub-batches, joined into forward passes of `sub_batches_per_pass`."""
        parts = self.loader.next()
        joined = min(self.config.run.sub_batches_per_pass, VIRTUAL_RANKS // world_size())
        groups = [parts[start : start + joined] for start in range(0, len(parts), joined)]
        return [
            (torch.cat([x for x, _ in group]).to(self.device), torch.cat([y for _, y in group]).to(self.device))
            for group in groups
        ]

    @torch.no_grad()
    def enable_qat(self, x_BT: Tensor, y_BT: Tensor) -> None:
        """Round block matrices in every forward pass from now on; raise when that does not change the loss.

        In the field the flag was folded away by compilation, or bypassed by banks, and nobody noticed (spec 4.4).
        """
        before = self.model(x_BT, y_BT)
        set_qat(self.model, self.config.quant.matrix_levels)
        self.qat = True
        after = self.model(x_BT, y_BT)
        if bool(before == after):
            raise AssertionError(f"late QAT is on and the loss is still exactly {float(before)}")

    def calibration_batches(self, count: int) -> list[Tensor]:
        """Inputs of the next `count` training steps, this rank's share: int64 (B, T) each. Training data, so timed."""
        return [x for _ in range(count) for x, _ in self.loader.next()]

    def state(self) -> dict[str, Any]:
        """Everything that a later step depends on. All ranks must call it."""
        return {
            "step": self.step,
            "elapsed": self.elapsed,
            "qat": self.qat,
            "loader": self.loader.step,
            "model": {name: tensor.clone() for name, tensor in self.model.state_dict().items()},
            "optimizer": self.optimizer.state(),
            "averages": self.averages.state(),
            "rng": torch.get_rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Return to a saved state, bit for bit."""
        self.step, self.elapsed, self.qat = int(state["step"]), float(state["elapsed"]), bool(state["qat"])
        self.loader.step = int(state["loader"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load(state["optimizer"])
        self.averages.load(state["averages"])
        torch.set_rng_state(state["rng"])
        set_qat(self.model, self.config.quant.matrix_levels if self.qat else 0)


def set_qat(model: nn.Module, levels: int) -> None:
    """Turn fake quantisation of the block matrices on (`levels` a side) or off (0)."""
    for name, module in model.named_modules():
        if isinstance(module, CastLinear) and name.startswith("blocks."):
            module.qat_levels = levels


def warm_up(trainer: Trainer) -> float:
    """Run `warmup_steps` steps in every loop phase, then restore everything; return seconds that calibration will need.

    Compiles both graphs and times the Hessian collector on random tokens, all outside the clock and without a trace.
    """
    before = trainer.state()
    phases = [0, *[loops for _, loops in trainer.config.model.loop_phases]]
    for loops in phases:
        for _ in range(trainer.config.run.warmup_steps):
            trainer.optimizer.zero()
            for x_BT, y_BT in trainer._passes():
                trainer.model.loops = loops
                trainer.loss_of(x_BT, y_BT).backward()
            trainer.optimizer.step(1.0, trainer.config.optim.momentum_start)
    seconds = 0.0
    if trainer.config.quant.calibration == "train" and trainer.config.run.warmup_steps:
        x_BT = trainer.loader.sub_batch(0, 0)[0]
        random = torch.randint(trainer.config.model.vocab, x_BT.shape, generator=torch.Generator().manual_seed(0))
        started = time.perf_counter()
        collect_hessians(trainer.model, [random])
        batches = trainer.config.quant.calibration_batches * VIRTUAL_RANKS // world_size()
        seconds = (time.perf_counter() - started) * batches
    trainer.load(before)
    return seconds
