"""A whole run: train inside the budget, calibrate, quantise, write the artifact, read it back, evaluate it.

Training code never sees a validation token and evaluation code never sees a training token: `train` gets a TrainLoader,
`evaluate` gets the artifact's path and a ScoreBook.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reference_impl.checkpoint import load_checkpoint, save_checkpoint
from reference_impl.config import VIRTUAL_RANKS, Config, validate
from reference_impl.data.loaders import TrainLoader
from reference_impl.data.shards import load_sidecar, load_validation, val_files, write_bytes_atomically
from reference_impl.data.tokenizer import byte_table, load_tokenizer
from reference_impl.dist import barrier, from_rank_zero, start_group, stop_group, sum_over_ranks, world_size
from reference_impl.evaluate.lora_ttt import eval_val_lora, eval_val_phased
from reference_impl.evaluate.ngram import eval_val_ngram
from reference_impl.evaluate.scorebook import ScoreBook
from reference_impl.evaluate.sliding import eval_val_sliding
from reference_impl.evaluate.ttt import eval_val_ttt
from reference_impl.log import Log
from reference_impl.metric import Totals
from reference_impl.model.gpt import Gpt
from reference_impl.quant.artifact import SizeLedger, entropy_bytes, pack, prune_to_fit, quantise, restore, unpack
from reference_impl.quant.calibration import collect_hessians, generate_calibration
from reference_impl.trainer import Trainer, warm_up


@dataclass(frozen=True)
class Validation:
    """The validation split and its byte counts."""

    tokens_N: np.ndarray
    bytes_N: np.ndarray
    device: torch.device

    def book(self) -> ScoreBook:
        """A fresh score book: one per evaluation."""
        return ScoreBook(self.tokens_N, self.bytes_N, self.device)


def run(config: Config, code_path: str, resume: bool = False) -> dict[str, Any]:
    """Train and evaluate one configuration; return what result.json holds. `code_path` names the counted code."""
    validate(config)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    rank, world, device = start_group()
    output = Path(config.place.output)
    log = Log(output / f"train_seed{config.place.seed}.log", rank, append=resume)
    started = time.perf_counter()
    torch.manual_seed(config.place.seed)
    model = new_model(config, device)
    loader = TrainLoader(config, rank, world)
    validation = open_validation(config, device)
    header(config, log, model, loader, validation, world, code_path)
    trainer = Trainer(config, model, loader, device)
    seconds = train(trainer, output, log, resume)
    trainer.averages.export()
    artifact, ledger = export(trainer, output, log, code_path, seconds)
    results = evaluate(config, artifact, validation, log)
    peak = torch.cuda.max_memory_allocated() // 2**20 if device.type == "cuda" else peak_host_mib()
    log.line(f"peak memory allocated: {peak} MiB reserved: {peak} MiB")
    outcome = {
        "preset": config.name,
        "seed": config.place.seed,
        "world_size": world,
        "signature": signature(config),
        "config": dataclasses.asdict(config),
        "targets": len(validation.tokens_N) - 1,
        "results": results,
        "seconds": {**seconds, "total": round(time.perf_counter() - started, 3)},
        "bytes": {"code": ledger.code, "blob": ledger.blob, "total": ledger.total, "limit": ledger.limit},
        "params": sum(p.numel() for p in model.parameters()),
    }
    if log.active:
        write_bytes_atomically(output / "result.json", json.dumps(outcome, indent=1).encode())
    stop_group()
    return outcome


def new_model(config: Config, device: torch.device) -> Gpt:
    """A freshly initialised model; activations in the configured type on GPUs and float32 where bfloat16 is slow."""
    dtype = torch.bfloat16 if config.run.dtype == "bfloat16" and device.type == "cuda" else torch.float32
    return Gpt(config.model, config.run.sequence, config.data.bos_id, dtype).to(device)


def open_validation(config: Config, device: torch.device) -> Validation:
    """Load the validation split and charge bytes to its targets (table, or sidecar for transformed text)."""
    root = Path(config.place.shards)
    tokenizer = load_tokenizer(Path(config.place.tokenizer), config.model.vocab)
    tokens_N = load_validation(val_files(root), config.model.vocab, config.run.sequence)
    if config.data.byte_sidecar:
        bytes_N = load_sidecar(root, len(tokens_N))[1:]
    else:
        bytes_N = byte_table(tokenizer, config.model.vocab).count(tokens_N[:-1], tokens_N[1:])
    return Validation(tokens_N, bytes_N, device)


def header(
    config: Config, log: Log, model: Gpt, loader: TrainLoader, validation: Validation, world: int, code_path: str
) -> None:
    """Print what ran, on what, with which settings."""
    shape, settings, optim = config.model, config.run, config.optim
    log.line("=" * 100)
    log.line(f"Running Python {platform.python_version()}")
    log.line(f"Running PyTorch {torch.__version__}")
    log.line(f"code_sha256:{hashlib.sha256(read_code(code_path)).hexdigest()}")
    log.line(f"val_bpb:enabled tokenizer_kind=sentencepiece tokenizer_path={config.place.tokenizer}")
    log.line(f"train_loader:dataset:{Path(config.place.shards).name} train_shards:{len(loader.shards)}")
    log.line(f"val_loader:shards pattern={config.place.shards}/fineweb_val_*.bin tokens:{len(validation.tokens_N) - 1}")
    log.line(f"model_params:{sum(p.numel() for p in model.parameters())}")
    log.line(f"world_size:{world} grad_accum_steps:{VIRTUAL_RANKS // world}")
    log.line(f"attention_mode:gqa num_heads:{shape.heads} num_kv_heads:{shape.kv_heads}")
    log.line(
        f"tie_embeddings:{shape.tied} embed_lr:{optim.embed_lr} head_lr:{optim.head_lr} "
        f"matrix_lr:{optim.matrix_lr} scalar_lr:{optim.scalar_lr}"
    )
    log.line(
        f"train_batch_tokens:{settings.batch_tokens} train_seq_len:{settings.sequence} "
        f"iterations:{settings.iterations} warmup_steps:{settings.warmup_steps} "
        f"max_wallclock_seconds:{settings.max_seconds:.3f}"
    )
    log.line(f"seed:{config.place.seed}")
    log.line(f"config_signature:{signature(config)}")


def train(trainer: Trainer, output: Path, log: Log, resume: bool) -> dict[str, float]:
    """Train until the iterations or the clock run out; return the seconds of the phases. Validation is not in reach."""
    config, settings, device = trainer.config, trainer.config.run, trainer.device
    checkpoint = output / "checkpoint.pt"
    measured = warm_up(trainer)
    reserve = max(settings.reserve_seconds, 1.5 * measured) if settings.max_seconds else 0.0
    budget = settings.max_seconds - reserve if settings.max_seconds else 0.0
    if reserve:
        log.line(f"gptq:reserving {1000 * reserve:.0f}ms from training budget, effective={1000 * budget:.0f}ms")
    if resume and checkpoint.exists():
        trainer.load(load_checkpoint(checkpoint, signature(config)))
        log.line(f"resumed:step:{trainer.step}/{settings.iterations} train_time:{1000 * trainer.elapsed:.0f}ms")
    clock = time.perf_counter() - trainer.elapsed
    while trainer.step < settings.iterations and not (budget and trainer.elapsed >= budget):
        loss = trainer.train_step(budget)
        wait_for(device)
        trainer.elapsed = from_rank_zero(time.perf_counter() - clock, device)
        step = trainer.step
        log.progress(step, settings.iterations, "train")
        if step <= 5 or step % settings.log_every == 0 or step == settings.iterations:
            mean = sum_over_ranks([float(loss)], device)[0] / world_size()
            log.line(
                f"step:{step}/{settings.iterations} train_loss:{mean:.4f} "
                f"train_time:{1000 * trainer.elapsed:.0f}ms step_avg:{1000 * trainer.elapsed / step:.2f}ms"
            )
        if settings.checkpoint_every and step % settings.checkpoint_every == 0:
            state = {"signature": signature(config), **trainer.state()}
            if log.active:
                save_checkpoint(checkpoint, state)
            clock = time.perf_counter() - trainer.elapsed
    if trainer.step < settings.iterations:
        log.line(
            f"stopping_early: wallclock_cap train_time:{1000 * trainer.elapsed:.0f}ms "
            f"step:{trainer.step}/{settings.iterations}"
        )
    trainer.model.loops = config.model.loops
    return {"train": round(trainer.elapsed, 3), "reserve": round(reserve, 3)}


def export(
    trainer: Trainer, output: Path, log: Log, code_path: str, seconds: dict[str, float]
) -> tuple[Path, SizeLedger]:
    """Calibrate on legal text, quantise, compress, count, and write the artifact; adds its times to `seconds`."""
    config, started = trainer.config.quant, time.perf_counter()
    state = trainer.model.state_dict()
    raw = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    code = len(read_code(code_path))
    log.line(f"Serialized model: {raw} bytes")
    log.line(f"Code size: {code} bytes")
    hessians = calibrate(trainer, log)
    seconds["calibrate"] = round(time.perf_counter() - started, 3)
    seconds["last_train_data"] = round(trainer.elapsed + seconds["calibrate"], 3)
    stored = quantise(state, hessians, config)
    if config.prune_to_fit:
        stored, blob, zeroed = prune_to_fit(stored, config, config.byte_limit - code)
        log.line(f"prune_to_fit: zeroed:{zeroed}")
    else:
        blob = pack(stored, config)
    ledger = SizeLedger(code, len(blob), config.byte_limit).check()
    artifact = output / "final_model.bin"
    if log.active:
        write_bytes_atomically(artifact, blob)
    barrier()
    label = f"{bits_label(trainer.config)}+{config.codec}"
    log.line(f"Serialized model {label}: {ledger.blob} bytes (entropy:{entropy_bytes(stored):.0f} raw:{raw})")
    log.line(f"Total submission size {label}: {ledger.total} bytes")
    seconds["export"] = round(time.perf_counter() - started, 3)
    return artifact, ledger


def calibrate(trainer: Trainer, log: Log) -> dict[str, torch.Tensor]:
    """Hessians from training batches (inside the budget) or from the model's own samples; never from validation."""
    config = trainer.config.quant
    if not config.gptq:
        return {}
    started = time.perf_counter()
    trainer.model.eval()
    if config.calibration == "train":
        batches = trainer.calibration_batches(config.calibration_batches)
    else:
        rows = generate_calibration(
            trainer.model, config.calibration_batches, trainer.config.run.sequence, config.generate_temperature, 0
        )
        batches = list(rows.split(8))
    hessians = collect_hessians(trainer.model, batches)
    source = "training data" if config.calibration == "train" else "AR self-gen"
    log.line(f"GPTQ:collected {len(hessians)} Hessians in {time.perf_counter() - started:.1f}s ({source})")
    return hessians


def load_artifact(path: Path, config: Config, device: torch.device) -> Gpt:
    """Read the artifact from disk into a freshly constructed model, looped as it is evaluated."""
    model = new_model(config, device)
    model.load_state_dict(restore(unpack(path.read_bytes())))
    return model.eval()


def evaluate(config: Config, artifact: Path, validation: Validation, log: Log) -> dict[str, dict[str, float]]:
    """Evaluate the artifact: round trip, sliding window, and the configured adaptation, each from a fresh load."""
    settings, sequence = config.eval, config.run.sequence
    bits = bits_label(config)
    results: dict[str, dict[str, float]] = {}

    model = load_artifact(artifact, config, validation.device)
    started = time.perf_counter()
    totals = eval_val_sliding(model, validation.book(), sequence, sequence, settings.batch)
    name = "final_int8_zlib_roundtrip" if config.quant.method == "quantile8" else f"final_{bits}_roundtrip"
    results["roundtrip"] = record(log, name, totals, time.perf_counter() - started)
    if settings.stride:
        started = time.perf_counter()
        totals = eval_val_sliding(model, validation.book(), sequence, settings.stride, settings.batch)
        results["sliding"] = record(log, f"final_{bits}_sliding_window", totals, time.perf_counter() - started)

    model = load_artifact(artifact, config, validation.device)
    started = time.perf_counter()
    if settings.ttt == "sgd" or settings.ttt == "muon":
        totals = eval_val_ttt(model, validation.book(), settings, sequence)
        results["ttt"] = record(log, "legal_ttt", totals, time.perf_counter() - started)
    if settings.ttt == "lora":
        totals = eval_val_lora(model, validation.book(), settings, sequence, config.data.bos_id, config.place.seed)
        results["ttt"] = record(log, "legal_ttt_lora", totals, time.perf_counter() - started)
    if settings.ttt == "phased":
        totals = eval_val_phased(model, validation.book(), settings, sequence, config.data.bos_id, config.place.seed)
        results["ttt"] = record(log, "legal_ttt_phased", totals, time.perf_counter() - started)
    if settings.ngram != "none":
        totals = eval_val_ngram(model, validation.book(), settings, sequence)
        results["ngram"] = record(log, "normalized_ngram", totals, time.perf_counter() - started)
    return results


def record(log: Log, name: str, totals: Totals, seconds: float) -> dict[str, float]:
    """Log one evaluation and return its numbers."""
    log.metric(name, totals, seconds)
    return {"loss": totals.loss(), "bpb": totals.bpb(), "tokens": totals.tokens, "bytes": totals.bytes, "s": seconds}


def bits_label(config: Config) -> str:
    """ "int8", "int6", ... of the block matrices."""
    levels = config.quant.embed_levels if config.quant.method == "quantile8" else config.quant.matrix_levels
    return f"int{(levels + 1).bit_length()}"


def signature(config: Config) -> str:
    """Short hash of everything that decides a run's numbers (not where it writes)."""
    fields = dataclasses.asdict(config)
    fields["place"] = config.place.seed
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def read_code(code_path: str) -> bytes:
    """The counted code: the script itself, or every module of the package when run from a checkout."""
    path = Path(code_path)
    if path.parent.name == "reference_impl":
        return b"".join(file.read_bytes() for file in sorted(path.parent.rglob("*.py")))
    return path.read_bytes()


def wait_for(device: torch.device) -> None:
    """Finish queued GPU work before reading the clock."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_host_mib() -> int:
    """Peak resident memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 2**10
