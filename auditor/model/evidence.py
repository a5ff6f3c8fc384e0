"""Everything measured about a submission outside its code: claims, logs, size, time, seeds, bytes per token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auditor.model.logs import LogFile, Metric


@dataclass(frozen=True, slots=True)
class Claim:
    """The val_bpb that the submission claims. `bpb` None where it claims none (null, TBD, 0, -1 or no file)."""

    bpb: float | None
    source: str
    """"submission.json", "README.md", "folder name" or ""."""
    line: int | None = None
    key: str = ""
    problem: str = ""
    """Why the claim could not be read, where it could not."""


@dataclass(frozen=True, slots=True)
class SeedRow:
    """One run (log) of a submission; None is unknown, never zero."""

    file: str
    seed: int | None = None
    """Seed that the log prints; None where it prints none (see `seed_in_name`)."""
    seed_in_name: int | None = None
    steps: int | None = None
    train_s: float | None = None
    train_precision_s: float = 0.0
    gptq_s: float | None = None
    eval_s: float | None = None
    bpb: float | None = None
    val_loss: float | None = None
    code_bytes: int | None = None
    """As printed in the log."""
    model_bytes: int | None = None
    logged_total_bytes: int | None = None
    total_bytes: int | None = None
    """Model bytes of the log + bytes of the shipped code that counts."""
    python: str | None = None
    torch: str | None = None
    gpu: str | None = None
    world_size: int | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """Which logged metric carries the claimed number, and by which rule it was matched."""

    metric: Metric | None
    """A representative line (first main log)."""
    how: str
    matches: tuple[Metric, ...] = ()
    """Every logged line that carries it, one or more per seed."""
    level: str = "none"
    """mean, single, best seed, one run, other seed, any value, raw text, training line, near, not found, no claim or
    no logs."""
    alternatives: tuple[str, ...] = ()
    """Names of other metrics that would meet the claim as well."""
    guess: bool = False
    """True where there is no claim to match and the metric is the last non-diagnostic one of the log."""
    nearest: Metric | None = None
    """Where no metric meets the claim: the one that misses it by less than other seeds do, None where there is none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The measured side of a submission."""

    claim: Claim
    headline: Headline
    logs: tuple[LogFile, ...] = ()
    seeds: tuple[SeedRow, ...] = ()
    code_bytes: int | None = None
    """Bytes of the shipped script and of every shipped file that it loads."""
    mentions: tuple[str, ...] = ()
    """What the README says beside the claimed number: the rest of the line, or the row's and the column's names."""
    facts: dict[str, Any] = field(default_factory=dict)
    """JSON-ready `facts` of the report (size, timing, bpb; see the contract)."""
