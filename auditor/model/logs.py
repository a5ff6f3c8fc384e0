"""What a log says: every value keeps its file, line and raw text. Selection happens later; nothing is dropped here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LineKind(Enum):
    """Which section of a log file a line stands in."""

    LOG = "log"
    DUMP = "dump"
    """A copy of the script's source."""
    SMI = "smi"
    """An nvidia-smi table."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, prefix stripped (`text`) and as it stands (`raw`); `number` is 1-based."""

    number: int
    kind: LineKind
    text: str
    raw: str


@dataclass(frozen=True, slots=True)
class Observed:
    """One value read from a log."""

    fact: str
    """Name of the pattern that read it, e.g. "seed", "stop", "model_bytes"."""
    value: float | int | str
    file: str
    line: int
    raw: str
    run: int = 0
    """Index of the run inside the file (files may hold several)."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One final metric line (not a progress or training-loop validation line)."""

    name: str
    bpb: float | None
    val_loss: float | None
    eval_ms: float | None
    diagnostic: bool
    """True where the name says that it is not the result (pre-quant, EMA, diagnostic, ...)."""
    file: str
    line: int
    raw: str
    run: int = 0


@dataclass(frozen=True, slots=True)
class StepLine:
    """One training progress line (`train_loss`) or training-time validation line (`val_bpb` set)."""

    step: int
    iterations: int | None
    line: int
    raw: str
    run: int = 0
    train_loss: float | None = None
    val_loss: float | None = None
    val_bpb: float | None = None
    time_ms: float | None = None
    time_precision_ms: float = 0.0
    """Half a printed unit: family B prints minutes with one decimal."""
    step_avg_ms: float | None = None
    tok_s: float | None = None


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log of a submission, read whole."""

    file: str
    family: str
    """A, B, C, D, E, other or excerpt (see rules/PG501)."""
    encoding: str
    lines: tuple[LogLine, ...]
    runs: int
    facts: tuple[Observed, ...]
    metrics: tuple[Metric, ...]
    hyperparameters: dict[str, tuple[str, int]]
    """Printed setting (name as printed) -> (value as printed, line)."""
    main: bool = True
    """False for side logs (ablations, smoke runs, controls)."""
    steps: tuple[StepLine, ...] = ()
    sha256: str = ""
    duplicate_of: str = ""
    """Path of an earlier log of this submission with the same bytes."""
    seed_in_name: int | None = None
    """Seed that the file name states: claimed, not observed."""
    problems: tuple[str, ...] = ()
    """What kept parts of the file from being read (size, damaged encoding, overlong lines)."""
    settings_block: frozenset[str] = frozenset()
    """Names among `hyperparameters` that stand in a settings block, where every line is one setting."""
    run_spans: tuple[tuple[int, int], ...] = ()
    """First and last line of each run."""

    def first(self, fact: str) -> Observed | None:
        return next((o for o in self.facts if o.fact == fact), None)

    def last(self, fact: str) -> Observed | None:
        return next((o for o in reversed(self.facts) if o.fact == fact), None)
