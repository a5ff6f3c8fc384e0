"""What a smoke test says of one script: how far it loads on a CPU. Never whether it is legal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from auditor.model.source import Span


class SmokeLevel(IntEnum):
    """How far a smoke test goes; each level includes those before it."""

    PARSE = 0
    IMPORT = 1
    MODEL = 2
    FORWARD = 3


class SmokeOutcome(str, Enum):
    """PASS: it loads. FAIL: a defect of the script itself. INCONCLUSIVE: something that this machine does not have."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome with its reason in one sentence ("" for a plain PASS)."""

    outcome: SmokeOutcome
    reason: str = ""
    exception: str = ""
    """Type and text as the script's own process told them; display text."""
    location: Span | None = None


@dataclass(frozen=True, slots=True)
class HyperValue:
    """A default read from the decoded source without running it; `line` is 1-based."""

    name: str
    value: int | float | str | bool | None
    line: int
    origin: str


@dataclass(frozen=True, slots=True)
class SmokeFacts:
    """Numbers of a smoke test; None is unknown. What the script's own process told is marked as told."""

    code_bytes: int
    """Bytes of the script as shipped."""
    dim: int | None = None
    layers: int | None = None
    vocab: int | None = None
    hyperparameters: tuple[HyperValue, ...] = ()
    import_seconds: float | None = None
    """Told: with torch already loaded."""
    torch_seconds: float | None = None
    """Told: loading torch itself."""
    parameters: int | None = None
    """Told: of the model on the meta device."""
    parameters_problem: str = ""
    loss: float | None = None
    """Told: nats per token of one forward pass over random tokens."""
    loss_problem: str = ""
    wall_seconds: float | None = None
    peak_bytes: int | None = None
    stubs: tuple[str, ...] = ()
    """Told: packages that were replaced by stand-ins."""
    tried: tuple[str, ...] = ()
    """Told: what the script tried and the sandbox refuses."""
    python: str | None = None
    torch: str | None = None
    sandbox: str | None = None
    """The confinement, e.g. "bwrap+landlock(7)+seccomp"; None where nothing ran."""


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """The smoke test of one script. `shipped` is the shim as it stands; None where it is none or did not run."""

    path: str
    script: str | None
    level: SmokeLevel
    judgement: Judgement
    facts: SmokeFacts
    shipped: Judgement | None = None
    notes: tuple[str, ...] = ()
    source_line: str = ""
    """The decoded line at `judgement.location`."""
