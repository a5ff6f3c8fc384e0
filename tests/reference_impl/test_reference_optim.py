"""Optimiser, schedules, averages, and their behaviour over several ranks."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from reference_ranks import STEPS
from reference_toys import CPU, everything_model, toy_config

from reference_impl.config import OptimConfig
from reference_impl.data.loaders import TrainLoader
from reference_impl.model.gpt import Gpt
from reference_impl.optim.averaging import Averages
from reference_impl.optim.groups import parameter_groups
from reference_impl.optim.muon import ParallelMuon, PlainMuon
from reference_impl.optim.newton_schulz import normalise_rows, orthogonalise
from reference_impl.optim.schedule import fraction_scale, lr_scale, muon_momentum, progress, warmdown_scale
from reference_impl.trainer import Trainer


@pytest.mark.parametrize(
    ("kind", "steps", "rows", "low", "high"),
    [
        ("jordan", 5, False, 0.6, 1.2),
        ("jordan", 3, False, 0.6, 1.25),
        ("polar", 5, False, 0.8, 1.2),
        ("jordan", 5, True, 0.6, 1.2),
    ],
)
def test_singular_values_fall_into_the_published_bands(
    kind: str, steps: int, rows: bool, low: float, high: float
) -> None:
    """Gaussian input comes out nearly orthogonal; badly scaled rows do so with row normalisation only."""
    torch.manual_seed(0)
    x = torch.randn(1, 128, 256)
    if rows:
        scaled = x * torch.logspace(-3, 0, 128)[:, None]
        assert torch.linalg.svdvals(orthogonalise(scaled, kind, steps)).min() < 0.4
        x = normalise_rows(scaled)
    values = torch.linalg.svdvals(orthogonalise(x, kind, steps))
    assert low < float(values.min()) and float(values.max()) < high


def test_batched_orthogonalisation_equals_one_by_one_and_keeps_zero() -> None:
    """Slices do not influence each other; tall matrices equal the transpose of wide ones; zero stays zero."""
    torch.manual_seed(0)
    x = torch.randn(3, 16, 24)
    x[1] = 0
    whole = orthogonalise(x)
    for index in range(3):
        torch.testing.assert_close(whole[index], orthogonalise(x[index : index + 1])[0], atol=1e-6, rtol=1e-5)
    assert bool((whole[1] == 0).all())
    torch.testing.assert_close(orthogonalise(x.mT), whole.mT, atol=1e-6, rtol=1e-5)


def _matrices() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(5)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in [(8, 8)] * 3 + [(16, 8), (8, 16)]]


def test_banked_muon_equals_plain_muon() -> None:
    """Five steps through banks and five matrix by matrix give the same weights to 1e-6."""
    results = []
    for make in (ParallelMuon, PlainMuon):
        parameters = _matrices()
        muon = make(parameters, "jordan", 5, True)
        for step in range(5):
            muon.zero()
            sum((p * (step + 1)).sin().sum() for p in parameters).backward()
            muon.reduce()
            muon.squared_norm()
            muon.apply(0.02, 0.1, 0.9, torch.tensor(0.5))
        results.append([p.detach().clone() for p in parameters])
    for banked, plain in zip(*results, strict=True):
        torch.testing.assert_close(banked, plain, atol=1e-6, rtol=0)


def test_muon_step_by_hand() -> None:
    """One step equals the written-out formula: momentum, Nesterov, NS, decay, sqrt(rows/cols)."""
    parameter = torch.nn.Parameter(torch.randn(16, 8))
    before, gradient = parameter.detach().clone(), torch.randn(16, 8)
    muon = ParallelMuon([parameter], "jordan", 5, False)
    muon.zero()
    parameter.grad.copy_(gradient)
    muon.apply(0.1, 0.5, 0.9, torch.tensor(1.0))
    update = orthogonalise((gradient + 0.9 * gradient)[None])[0]
    torch.testing.assert_close(parameter.detach(), before * (1 - 0.05) - 0.1 * math.sqrt(2) * update)


def test_every_parameter_is_in_exactly_one_group() -> None:
    """Block matrices go to Muon, tables to their own rate, and no later-added module is forgotten."""
    model = Gpt(everything_model(tied=False), 16)
    groups = parameter_groups(model)
    named = [*groups.matrices, *groups.tables, *groups.scalars, *groups.head]
    assert sorted(named) == sorted(name for name, _ in model.named_parameters())
    assert all(name.startswith("blocks.") and p.ndim == 2 for name, p in groups.matrices.items())
    assert set(groups.tables) == {"tok_emb", "bigram.table", "value_embed.table"}
    assert set(groups.head) == {"lm_head.weight"}


def test_schedules() -> None:
    """The values that the specification lists for w = 0.72, the SP1024 rule, and the momentum ramp."""
    assert [round(fraction_scale(f, 0.72, 0.0), 3) for f in (0, 0.28, 0.3, 0.9, 1.0)] == [1, 1, 0.972, 0.139, 0]
    assert fraction_scale(1.0, 0.72, 0.1) == 0.1
    assert warmdown_scale(500, 1000, 200, 0, 0) == 1.0 and warmdown_scale(900, 1000, 200, 0, 0) == 0.5
    assert warmdown_scale(100, 10_000, 100, 50.0, 75.0) == pytest.approx(0.5)
    assert warmdown_scale(100, 10_000, 0, 50.0, 75.0) == 1.0
    assert progress(50, 100, 30.0, 40.0) == 0.75 and progress(50, 100, 30.0, 0.0) == 0.5
    config = OptimConfig(schedule="fraction", warmdown_fraction=0.5)
    assert lr_scale(config, 75, 100, 0.0, 0.0) == pytest.approx(0.5)
    ramp = OptimConfig(momentum_start=0.9, momentum=0.98, momentum_steps=10)
    assert muon_momentum(ramp, 5) == pytest.approx(0.94) and muon_momentum(ramp, 99) == pytest.approx(0.98)


def test_averages_in_closed_form() -> None:
    """EMA over three steps starts from the initial weights; SWA is the mean of late snapshots; export copies once."""
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    averages = Averages(model, OptimConfig(ema_decay=0.5, swa_every=2, swa_below=0.3, export="swa"))
    expected = 1.0
    for step, value in enumerate((2.0, 4.0, 8.0, 16.0), start=1):
        model.weight.data.fill_(value)
        averages.update(step, 0.2)
        expected = 0.5 * expected + 0.5 * value
    assert float(averages.ema[0]) == pytest.approx(expected)
    averages.export()
    assert float(model.weight.detach()) == pytest.approx((4.0 + 16.0) / 2)
    warm = Averages(model, OptimConfig(ema_decay=0.99, ema_warm=True))
    model.weight.data.fill_(0.0)
    warm.update(1, 1.0)
    assert float(warm.ema[0]) == pytest.approx(10.0 * 2 / 11)


def test_two_ranks_give_the_losses_of_one(on_one_rank: dict[str, Any], on_two_ranks: list[dict[str, Any]]) -> None:
    """Fifty steps on two gloo ranks equal one rank to 1e-5 in loss, clipping and EMA on; ranks agree exactly."""
    one, two = on_one_rank["train"], [report["train"] for report in on_two_ranks]
    losses = [sum(pair) / 2 for pair in zip(two[0]["losses"], two[1]["losses"], strict=True)]
    assert len(losses) == 50
    assert max(abs(a - b) for a, b in zip(one["losses"], losses, strict=True)) < 1e-5
    assert one["losses"][-1] < one["losses"][0] - 0.5
    for name, tensor in one["model"].items():
        assert torch.equal(two[0]["model"][name], two[1]["model"][name])
        torch.testing.assert_close(tensor, two[0]["model"][name], atol=1e-4, rtol=1e-3)
    for mine, theirs in zip(one["momentum"], two[0]["momentum"], strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-3)


def test_two_ranks_of_banked_muon_equal_one_rank_of_plain(
    toy_data: Path, tmp_path: Path, on_two_ranks: list[dict[str, Any]]
) -> None:
    """Reduce-scatter, padding and all-gather change nothing: same weights as the plain optimiser on one rank."""
    config = toy_config(toy_data, tmp_path)
    config = dataclasses.replace(
        config,
        optim=dataclasses.replace(config.optim, muon="plain"),
        run=dataclasses.replace(config.run, iterations=STEPS),
    )
    torch.manual_seed(0)
    model = Gpt(config.model, config.run.sequence, config.data.bos_id)
    trainer = Trainer(config, model, TrainLoader(config, 0, 1), CPU)
    for _ in range(4):
        trainer.train_step(0.0)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, on_two_ranks[0]["train"]["early"][name], atol=2e-5, rtol=1e-3)
