"""Run a job on one or two gloo ranks in fresh processes and return what each rank reports."""

from __future__ import annotations

import dataclasses
import os
import socket
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as torch_processes
from reference_toys import CPU, book_of, toy_tokens, trained_toy_model

from reference_impl.config import Config
from reference_impl.data.loaders import TrainLoader
from reference_impl.dist import start_group, stop_group
from reference_impl.evaluate.lora_ttt import eval_val_lora, eval_val_phased
from reference_impl.evaluate.ngram import eval_val_ngram
from reference_impl.evaluate.sliding import eval_val_sliding
from reference_impl.evaluate.ttt import eval_val_ttt
from reference_impl.model.gpt import Gpt
from reference_impl.trainer import Trainer

STEPS = 50
"""Training steps that one and two ranks are compared over."""


def two_ranks(folder: Path, config: Config) -> list[dict[str, Any]]:
    """Run both jobs on two ranks; return each rank's report."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch_processes.spawn(_rank, (port, str(folder), config), nprocs=2)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(2)]


def one_rank(config: Config) -> dict[str, Any]:
    """Run both jobs in this process, without a process group."""
    return {"train": _train(0, 1, config), "evaluate": _evaluate(config)}


def _rank(rank: int, port: int, folder: str, config: Config) -> None:
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank)
    )
    start_group("cpu")
    report = {"train": _train(rank, 2, config), "evaluate": _evaluate(config)}
    torch.save(report, Path(folder) / f"rank{rank}.pt")
    stop_group()


def _train(rank: int, world: int, config: Config) -> dict[str, Any]:
    torch.manual_seed(0)
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, iterations=STEPS))
    model = Gpt(config.model, config.run.sequence, config.data.bos_id)
    trainer = Trainer(config, model, TrainLoader(config, rank, world), CPU)
    losses = [float(trainer.train_step(0.0)) for _ in range(4)]
    early = trainer.state()["model"]
    losses += [float(trainer.train_step(0.0)) for _ in range(STEPS - 4)]
    state = trainer.state()
    return {"losses": losses, "early": early, "model": state["model"], "momentum": state["optimizer"]["muon"]}


def _evaluate(config: Config) -> dict[str, Any]:
    reports = {}
    for kind in ("sliding", "sgd", "muon", "lora", "phased", "ppm"):
        model = trained_toy_model(config.model)
        book = book_of(toy_tokens(330, 3))
        settings = dataclasses.replace(
            config.eval,
            ttt=kind if kind in ("sgd", "muon", "lora", "phased") else "none",
            phase_documents=4,
            lora_documents=2,
            ngram="ppm",
        )
        if kind == "sliding":
            totals = eval_val_sliding(model, book, 16, 4, 4)
        elif kind in ("sgd", "muon"):
            totals = eval_val_ttt(model, book, settings, 16)
        elif kind == "lora":
            totals = eval_val_lora(model, book, settings, 16, 1, 0)
        elif kind == "phased":
            totals = eval_val_phased(model, book, settings, 16, 1, 0)
        else:
            totals = eval_val_ngram(model, book, settings, 16)
        reports[kind] = (totals.nats, totals.tokens, totals.bytes)
    return reports
