"""Submission folders made of text, for the tests of everything that is measured outside the code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from auditor.limits import DEFAULT_LIMITS
from auditor.measure.gather import gather
from auditor.model.evidence import Evidence
from auditor.model.finding import Finding, Pass
from auditor.model.source import Program
from auditor.model.submission import FileEntry, FileKind, Submission, Track
from auditor.rules.context import RuleContext
from auditor.rules.data import cards, edition
from auditor.rules.registry import checks


def folder(
    files: Mapping[str, str | bytes], *, track: Track = Track.RECORD, name: str = "2026-04-20_Example"
) -> Submission:
    """Build a submission; "train_gpt.py" is its script where it is among the files."""
    entries = []
    for path, text in sorted(files.items()):
        data = text.encode() if isinstance(text, str) else text
        entries.append(FileEntry(path, FileKind.REGULAR, len(data), data, hashlib.sha256(data).hexdigest()))
    script = "train_gpt.py" if "train_gpt.py" in files else None
    return Submission(f"records/x/{name}", name, track, tuple(entries), script, "")


def log_text(
    seed: int = 42,
    *,
    bpb: float = 1.08,
    loss_per_bpb: float = 2.5831,
    stop_ms: int = 588_000,
    steps: int = 4500,
    model: int = 15_900_000,
    code: int = 20_000,
    eval_ms: int = 400_000,
    extra: str = "",
    after_stop: str = "",
    world: int = 8,
    settings: str = "",
    name: str = "quantized_ttt",
) -> str:
    """Write a family-B log; every number of it is consistent unless an argument says otherwise."""
    block = "".join(f"  {line}\n" for line in settings.split("\n") if line)
    lines = "".join(
        f"{n}/20000 train_loss: {3.4 - n / 10_000 + seed % 97 / 1000:.4f} "
        f"train_time: {n * 0.131 / 60:.1f}m tok/s: 6000000\n"
        for n in range(500, steps, 500)
    )
    return (
        f"Hyperparameters:\n  iterations: 20000\n{block}  seed: {seed}\n  world_size: {world}\n"
        f"val_tokens: 40540160\n0/20000 val_loss: 9.0090 val_bpb: 3.4877\n{lines}"
        f"stopping_early: wallclock_cap train_time: {stop_ms}ms step: {steps}/20000\n"
        f"peak memory allocated: 39000 MiB reserved: 39100 MiB\n{after_stop}"
        f"pre-quantization post-ema val_loss:2.80000000 val_bpb:1.08395000 eval_time:6000ms\n"
        f"Serialized model: 135431033 bytes\nCode size: {code} bytes\n"
        f"Serialized model quantized+brotli: {model} bytes\n"
        f"Total submission size quantized+brotli: {model + code} bytes\n"
        f"{name} val_loss:{bpb * loss_per_bpb:.8f} val_bpb:{bpb:.8f} eval_time:{eval_ms}ms\n{extra}"
    )


def manifest(**fields: object) -> str:
    """Write a submission.json."""
    return json.dumps({"name": "example", "date": "2026-04-20", **fields}, indent=1)


def three_seeds(**changed: object) -> dict[str, str | bytes]:
    """Return a folder's files with three consistent runs; `changed` is passed to every log."""
    bpbs = {42: 1.05011, 1337: 1.05122, 2025: 1.05067}
    files: dict[str, str | bytes] = {
        f"train_seed{seed}.log": log_text(
            seed, **{"bpb": bpb, "model": 15_900_000 + seed, "stop_ms": 588_000 + seed % 13, **changed}
        )  # type: ignore[arg-type]
        for seed, bpb in bpbs.items()
    }
    files["submission.json"] = manifest(val_bpb=round(sum(bpbs.values()) / 3, 5))
    files["train_gpt.py"] = "x" * 20_000
    return files


def evidence(submission: Submission, program: Program | None = None) -> Evidence:
    """Gather the evidence of a folder under the newest edition."""
    return gather(submission, program, edition(), DEFAULT_LIMITS)


def ask(
    rule: str, files: Mapping[str, str | bytes], *, track: Track = Track.RECORD, program: Program | None = None
) -> list[Finding | Pass]:
    """Ask one rule about a folder."""
    submission = folder(files, track=track)
    context = RuleContext(
        cards()[rule], edition(), submission, program, None, evidence(submission, program), DEFAULT_LIMITS
    )
    return list(checks()[rule](context))


def said(found: list[Finding | Pass]) -> list[tuple[str, str]]:
    """Return (effect or "pass", text) of everything that a rule said."""
    return [
        (item.effect.value, item.message) if isinstance(item, Finding) else ("pass", item.established) for item in found
    ]


def renamed(submission: Submission, name: str) -> Submission:
    """Return the same folder under another name."""
    return replace(submission, name=name)
