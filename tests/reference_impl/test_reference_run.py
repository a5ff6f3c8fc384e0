"""Whole runs at toy size: golden losses, warm-up, resume after a kill, the artifact, the log."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from reference_toys import CPU, toy_config

from reference_impl.checkpoint import load_checkpoint, save_checkpoint
from reference_impl.config import Config
from reference_impl.data.loaders import TrainLoader
from reference_impl.errors import ArtifactError, DataError
from reference_impl.model.gpt import Gpt
from reference_impl.run import load_artifact, run, signature
from reference_impl.train import main, parse
from reference_impl.trainer import Trainer, set_qat, warm_up

GOLDEN_LOSSES = (12.1154, 10.6382, 8.7427, 7.1731)
"""Of the toy run's first four steps. A refactoring must keep them; a change of model or optimiser states new ones."""


def _trainer(config: Config) -> Trainer:
    torch.manual_seed(0)
    model = Gpt(config.model, config.run.sequence, config.data.bos_id)
    return Trainer(config, model, TrainLoader(config, 0, 1), CPU)


def _stdlib(corpus: Path, output: Path, *overrides: str) -> list[str]:
    """Arguments of a run of seconds on the standard library's text."""
    return [
        "--preset", "cpu_tiny", "--output", str(output), "--max-seconds", "0",
        f"place.shards={corpus}/datasets/tiny_sp512",
        f"place.tokenizer={corpus}/tokenizers/tiny_512_bpe.model",
        "model.vocab=512", "model.width=32", "model.layers=2",
        "model.mlp_hidden=64", "run.iterations=12", "run.sequence=32", "run.batch_tokens=512", "run.log_every=4",
        "run.checkpoint_every=4", "eval.stride=16", "eval.ttt_chunk=512", "eval.ttt_epochs=1", *overrides,
    ]  # fmt: skip


def test_losses_are_the_recorded_ones(toy_data: Path, tmp_path: Path) -> None:
    """Same seed, same data, same losses as when this test was written (float32, one thread)."""
    trainer = _trainer(toy_config(toy_data, tmp_path))
    losses = [float(trainer.train_step(0.0)) for _ in range(4)]
    assert losses == pytest.approx(GOLDEN_LOSSES, abs=2e-3)


def test_accumulation_does_not_change_the_gradient(toy_data: Path, tmp_path: Path) -> None:
    """Eight passes of one sub-batch or one pass of eight: the same losses to 1e-5."""
    losses = []
    for joined in (1, 8):
        config = toy_config(toy_data, tmp_path)
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, sub_batches_per_pass=joined))
        trainer = _trainer(config)
        losses.append([float(trainer.train_step(0.0)) for _ in range(5)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_warm_up_leaves_no_trace(toy_data: Path, tmp_path: Path) -> None:
    """Weights, momentum, Adam state, averages, loader position and random state are bit for bit a cold run's."""
    config = toy_config(toy_data, tmp_path)
    cold, warm = _trainer(config), _trainer(config)
    cold.train_step(0.0)
    warm.train_step(0.0)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert warm_up(warm) > 0
    assert torch.equal(before, torch.get_rng_state())
    for _ in range(3):
        assert float(cold.train_step(0.0)) == float(warm.train_step(0.0))
    _assert_equal(cold.state(), warm.state(), skip=("rng", "elapsed"))


def _assert_equal(a: object, b: object, skip: tuple[str, ...] = ()) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            if key not in skip:
                _assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            _assert_equal(x, y)
    else:
        assert a == b


def test_late_qat_changes_the_loss_or_raises(toy_data: Path, tmp_path: Path) -> None:
    """Switching it on really rounds the block matrices; if it had no effect the run would stop."""
    config = toy_config(toy_data, tmp_path)
    config = dataclasses.replace(config, optim=dataclasses.replace(config.optim, late_qat_below=2.0))
    trainer = _trainer(config)
    set_qat(trainer.model, 0)
    with torch.no_grad():
        for block in trainer.model.blocks:
            block.attn.proj.weight.normal_()
    trainer.train_step(0.0)
    assert trainer.qat and trainer.model.blocks[0].attn.c_q.qat_levels == 31
    dead = _trainer(config)
    with torch.no_grad():
        for name, parameter in dead.model.named_parameters():
            if "attn" in name or "mlp" in name:
                parameter.zero_()
    with pytest.raises(AssertionError, match="late QAT is on"):
        dead.train_step(0.0)


def test_a_whole_run_leaves_a_readable_log_and_artifact(
    stdlib_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train, calibrate, quantise, reload, evaluate: sizes add up, coverage is whole, reloading is exact."""
    assert main(_stdlib(stdlib_corpus, tmp_path)) == 0
    text = (tmp_path / "train_seed1337.log").read_text()
    assert text == capsys.readouterr().out
    result = json.loads((tmp_path / "result.json").read_text())
    sizes = result["bytes"]
    assert sizes["total"] == sizes["code"] + sizes["blob"]
    assert sizes["blob"] == (tmp_path / "final_model.bin").stat().st_size
    assert f"Total submission size int6+brotli: {sizes['total']} bytes" in text
    assert "step:12/12 train_loss:" in text and "GPTQ:collected" in text and "(training data)" in text
    tokens = {entry["tokens"] for entry in result["results"].values()}
    assert tokens == {result["targets"]} and set(result["results"]) == {"roundtrip", "sliding", "ttt"}
    assert f"legal_ttt_exact val_loss:{result['results']['ttt']['loss']:.8f}" in text
    ratios = [entry["loss"] / entry["bpb"] for entry in result["results"].values()]
    assert max(ratios) - min(ratios) < 1e-12
    config = parse(_stdlib(stdlib_corpus, tmp_path))[0]
    ids = torch.arange(20)[None]
    with torch.no_grad():
        reloaded = [load_artifact(tmp_path / "final_model.bin", config, CPU).logits(ids) for _ in range(2)]
    assert torch.equal(*reloaded)


@pytest.mark.parametrize(
    "overrides",
    [
        ("eval.ttt=lora", "eval.lora_chunk=16", "eval.lora_documents=8"),
        ("eval.ttt=phased", "eval.lora_chunk=16", "eval.phase_documents=4", "eval.phases=2"),
        ("eval.ttt=none", "eval.ngram=ppm", "quant.calibration=generated", "quant.calibration_batches=2"),
        ("quant.method=quantile8", "quant.gptq=False", "quant.codec=zlib", "eval.ttt=none", "eval.stride=0"),
    ],
)
def test_other_evaluations_run_end_to_end(stdlib_corpus: Path, tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """Document adapters, phases, n-gram mixing and the baseline's int8 path each give a finite score on all targets."""
    short = ("run.iterations=2", "run.warmup_steps=0", *overrides)
    config = parse(_stdlib(stdlib_corpus, tmp_path, *short))[0]
    config = _short_validation(config, stdlib_corpus, tmp_path)
    outcome = run(config, __file__)
    last = list(outcome["results"].values())[-1]
    assert last["tokens"] == outcome["targets"] and 0 < last["bpb"] < 9


def _short_validation(config: Config, corpus: Path, folder: Path) -> Config:
    """The same training shards with the first 700 validation tokens."""
    from reference_impl.data.shards import open_shard, write_shard

    source, target = corpus / "datasets" / "tiny_sp512", folder / "data"
    for path in source.glob("fineweb_train_*.bin"):
        write_shard(target / path.name, open_shard(path))
    write_shard(target / "fineweb_val_000000.bin", open_shard(source / "fineweb_val_000000.bin")[:700])
    return dataclasses.replace(config, place=dataclasses.replace(config.place, shards=str(target)))


def test_resume_after_kill_ends_as_an_uninterrupted_run(stdlib_corpus: Path, tmp_path: Path) -> None:
    """kill -9 after a checkpoint, then --resume: the artifact has the bytes of a run that was never killed."""
    command = [sys.executable, "-m", "reference_impl.train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    slow = _stdlib(stdlib_corpus, tmp_path / "a", "run.iterations=60", "eval.ttt=none", "eval.stride=0")
    child = subprocess.Popen([*command, *slow], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "a" / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (tmp_path / "a" / "checkpoint.pt").exists() and not (tmp_path / "a" / "final_model.bin").exists()
    assert main([*slow, "--resume"]) == 0
    assert main([*slow, "--output", str(tmp_path / "b")]) == 0
    assert "resumed:step:" in (tmp_path / "a" / "train_seed1337.log").read_text()
    first, second = ((tmp_path / name / "final_model.bin").read_bytes() for name in "ab")
    assert first == second


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(toy_data: Path, tmp_path: Path) -> None:
    """A checkpoint belongs to one configuration; half a file is an error, not a state."""
    config = toy_config(toy_data, tmp_path)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"signature": signature(config), "step": 3})
    assert load_checkpoint(path, signature(config))["step"] == 3
    with pytest.raises(DataError, match="expected configuration"):
        load_checkpoint(path, "another")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint(path, signature(config))


def test_over_the_limit_writes_no_artifact(stdlib_corpus: Path, tmp_path: Path) -> None:
    """A submission that is too large stops with both numbers and leaves no file that could be submitted."""
    config = parse(_stdlib(stdlib_corpus, tmp_path, "run.iterations=1", "quant.byte_limit=10000"))[0]
    with pytest.raises(ArtifactError, match="expected at most 10000 bytes"):
        run(config, __file__)
    assert not (tmp_path / "final_model.bin").exists()


def test_the_clock_stops_training_and_reserves_calibration(stdlib_corpus: Path, tmp_path: Path) -> None:
    """With a budget, training ends early, says so, and the last access to training data is inside the budget."""
    arguments = _stdlib(stdlib_corpus, tmp_path, "run.iterations=100000", "eval.ttt=none", "eval.stride=0")
    config = parse([*arguments, "--max-seconds", "4"])[0]
    seconds = run(config, __file__)["seconds"]
    text = (tmp_path / "train_seed1337.log").read_text()
    assert "stopping_early: wallclock_cap train_time:" in text and "gptq:reserving" in text
    assert seconds["reserve"] > 0 and seconds["train"] < 4 + 1.0


def test_errors_are_one_sentence_and_exit_code_two(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown overrides and missing data do not end in a traceback."""
    monkeypatch.chdir(tmp_path)
    assert main(["optim.nothing=1"]) == 2
    assert "unknown override 'optim.nothing=1'" in capsys.readouterr().err
    assert main(["--preset", "naive_baseline", f"place.shards={tmp_path}", "model.layers=1"]) == 2
    assert "fineweb_train" in capsys.readouterr().err
