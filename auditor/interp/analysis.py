"""What the interpreter hands to the rules: one trace per environment, and the headline eval path."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model.source import Span


@dataclass(frozen=True, slots=True)
class Setting:
    """One run setting of the declared environment and where its value comes from."""

    value: str
    origin: str
    """"README.md:12", "train_seed42.log:7", "code default", "guard solved from train_seed42.log:88"."""


@dataclass(frozen=True, slots=True)
class HeadlinePath:
    """The eval path that printed the claimed number."""

    bpb: float | None
    function: str
    """Qualified name of the function whose value is printed."""
    span: Span | None
    """Where that function stands in the decoded source."""
    log: str | None
    log_line: int | None
    how: str
    """Which claim, which log line, which print site, in one sentence."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The interpreter's result for one program."""

    headline: HeadlinePath | None
    declared: dict[str, Setting]
    """The reconstructed run environment."""
    incomplete: tuple[str, ...] = ()
    """Why the analysis is not complete (budget, opaque layer, crash), empty where it is."""
