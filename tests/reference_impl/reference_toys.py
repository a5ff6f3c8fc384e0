"""Toy data and configurations; importable by worker processes."""

from __future__ import annotations

import copy
import dataclasses
import functools
from pathlib import Path

import numpy as np
import torch

from reference_impl.config import (
    Config,
    DataConfig,
    EvalConfig,
    ModelConfig,
    OptimConfig,
    PlaceConfig,
    QuantConfig,
    RunConfig,
)
from reference_impl.data.shards import write_shard
from reference_impl.evaluate.scorebook import ScoreBook
from reference_impl.model.gpt import Gpt

VOCAB = 64
CPU = torch.device("cpu")


def toy_tokens(count: int, seed: int) -> np.ndarray:
    """A learnable stream: a noisy cycle over the vocabulary, with a BOS (1) every 37 tokens."""
    generator = np.random.default_rng(seed)
    tokens = (np.arange(count) * 5 + generator.integers(0, 3, count)) % (VOCAB - 4) + 4
    tokens[::37] = 1
    return tokens.astype(np.int64)


def write_toy_data(root: Path) -> None:
    """Two training shards and one validation shard."""
    write_shard(root / "fineweb_train_000000.bin", toy_tokens(4000, 1))
    write_shard(root / "fineweb_train_000001.bin", toy_tokens(3000, 2))
    write_shard(root / "fineweb_val_000000.bin", toy_tokens(700, 3))


def everything_model(**changes: object) -> ModelConfig:
    """A tiny model with as many features on as fit together."""
    config = ModelConfig(
        vocab=VOCAB,
        layers=4,
        width=32,
        heads=4,
        kv_heads=2,
        mlp_hidden=48,
        activation="leaky2",
        init="orthogonal",
        embed_std=0.5,
        rope_dims=4,
        rope_train_len=8,
        xsa_last=2,
        ln_scale=True,
        skips="gated",
        bigram_rows=50,
        bigram_dim=8,
        smear="v1",
        value_embed_dim=8,
        value_embed_layers=(2, 3),
        value_residual=True,
        head_gate="sparse",
        loop_start=1,
        loop_end=2,
        loop_phases=((0.5, 1),),
        lanes="p2",
        lanes_start=3,
    )
    return dataclasses.replace(config, **changes)


def toy_config(root: Path, output: Path, **model: object) -> Config:
    """A run of a few steps on the toy shards."""
    return Config(
        name="toy",
        place=PlaceConfig(shards=str(root), tokenizer=str(root / "none.model"), output=str(output)),
        data=DataConfig(loader="shuffled"),
        model=everything_model(**model),
        optim=OptimConfig(
            row_normalise=True, grad_clip=1.0, momentum_steps=5, schedule="fraction", ema_decay=0.9, export="ema"
        ),
        run=RunConfig(
            sequence=16,
            batch_tokens=256,
            sub_batches_per_pass=4,
            iterations=8,
            warmup_steps=2,
            max_seconds=0.0,
            log_every=1,
            checkpoint_every=2,
            dtype="float32",
            compile=False,
        ),
        quant=QuantConfig(
            method="sdclip", gptq=True, calibration="train", calibration_batches=2, small_tensor=256, codec="brotli"
        ),
        eval=EvalConfig(batch=4, stride=4, ttt="sgd", ttt_chunk=64, ttt_lr=0.05, ttt_epochs=2, lora_chunk=8),
    )


def trained_toy_model(config: ModelConfig, sequence: int = 16) -> Gpt:
    """A model whose zero-initialised parts were shaken, so that every feature takes part in its output."""
    return copy.deepcopy(_toy_model(config, sequence))


@functools.cache
def _toy_model(config: ModelConfig, sequence: int) -> Gpt:
    torch.manual_seed(0)
    model = Gpt(config, sequence)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def book_of(tokens: np.ndarray) -> ScoreBook:
    """A score book that charges one byte per target."""
    return ScoreBook(tokens, np.ones(len(tokens) - 1, np.int64), CPU)
