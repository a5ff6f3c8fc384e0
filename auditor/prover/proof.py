"""What a proof returns, ready for every renderer. No arrays, no bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from auditor.prover.outcome import Outcome
from auditor.prover.witness import Witness


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on the tested data."""

    name: str
    """"C1+C3", "C2", "C4" or "bytes"."""
    holds: bool | None
    """None where it was not tested or could not be decided."""
    established: str
    """One sentence: what was seen."""


@dataclass(frozen=True, slots=True)
class MetricTested:
    """The printed number whose terms were tested."""

    text: str
    function: str
    line: int
    target: str
    scores: int
    entries: int
    by: str
    headline: bool | None
    """True where it is the line of the claimed number; None where the submission's logs name none."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result for one script."""

    outcome: Outcome
    reason_class: str
    """A short stable name where nothing was concluded, else empty."""
    reason: str
    metric: MetricTested | None = None
    conditions: tuple[Condition, ...] = ()
    witness: Witness | None = None
    confirmed: bool = False
    """True where a second seed showed the same."""
    shape: str = ""
    sizes: tuple[int, ...] = ()
    """Scored tokens of the miniatures that were run."""
    lowered: dict[str, tuple[str, str]] = field(default_factory=dict)
    stubs: tuple[str, ...] = ()
    kernels_skipped: int = 0
    coverage: tuple[int, int] | None = None
    """(statements, of these executed) of the scoring function."""
    confinement: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of everything that ran in the sandbox: on a busy machine, what a quiet one would need."""
    notes: tuple[str, ...] = ()

    @property
    def convicts(self) -> bool:
        """True for the outcomes that may move a verdict, and only upwards."""
        return self.outcome in (Outcome.LEAK, Outcome.NOT_NORMALISED)


def finite(number: float) -> float | None:
    """Return a number that JSON can hold."""
    return number if math.isfinite(number) else None


def as_json(proof: Proof) -> dict[str, Any]:
    """Return the proof as JSON-ready data."""
    witness, metric = proof.witness, proof.metric
    return {
        "outcome": proof.outcome.value,
        "reason_class": proof.reason_class or None,
        "reason": proof.reason,
        "metric": None if metric is None else {
            "text": metric.text, "function": metric.function, "line": metric.line, "accumulator": metric.target,
            "scores": metric.scores, "entries": metric.entries, "reproduces": metric.by, "headline": metric.headline,
        },
        "conditions": [{"name": c.name, "holds": c.holds, "established": c.established} for c in proof.conditions],
        "witness": None if witness is None else {
            "kind": witness.kind, "position": witness.position, "was": witness.was, "now": witness.now,
            "score": witness.element, "before": finite(witness.before), "after": finite(witness.after),
            "message": witness.message,
            "confirmed_on_second_seed": proof.confirmed,
        },
        "miniature": {
            "shape": proof.shape, "targets": list(proof.sizes), "stubs": list(proof.stubs),
            "kernels_skipped": proof.kernels_skipped,
            "lowered": {name: {"from": a, "to": b} for name, (a, b) in sorted(proof.lowered.items())},
        },
        "coverage": None if proof.coverage is None else
            {"statements": proof.coverage[0], "executed": proof.coverage[1]},
        "confinement": proof.confinement,
        "seconds": round(proof.seconds, 1),
        "cpu_seconds": round(proof.cpu_seconds, 1),
        "notes": list(proof.notes),
    }  # fmt: skip
