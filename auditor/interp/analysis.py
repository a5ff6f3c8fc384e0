"""What the interpreter hands to the rules: the trace, the headline eval path, and what was established about it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.interp.causal import LookAhead
from auditor.interp.graph import Node
from auditor.interp.leaks import Leak
from auditor.interp.learn import Learned
from auditor.interp.scores import Composition
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
    certain: bool = False
    """True where a logged line determines the print."""
    untraced: bool = False
    """True where a logged line carries the claim and no print that was followed makes it."""
    frame: int = 0
    """Id of the call."""
    printed: Span | None = None
    """Where the number is printed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One interpretation: every event in order, and what each had learned from."""

    nodes: list[Node] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    notes: tuple[Node, ...] = ()
    """NET, DYNAMIC, NATIVE and UNMODELLED events."""
    reached: frozenset[tuple[str, int, int]] = frozenset()
    """(file, layer, line) of every statement executed."""
    steps: int = 0
    consumers: tuple[tuple[ast.AST, str, Span], ...] = ()
    """Submitted functions that were handed losses, and the scoring function itself."""
    walked: Mapping[int, int] = field(default_factory=dict)
    """Loop over a known range that was followed from its start to its end -> how many iterations it has."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One setting whose other value leads into code that the claimed run did not enter."""

    setting: str
    variable: str
    value: str
    covers: frozenset[tuple[str, int, int]]
    """(file, layer, line) of the guarded block and of the functions that it leads to, without what the run reached."""

    @property
    def stated(self) -> str:
        """Return the setting as a command states it."""
        return f"{self.variable}={self.value}"


@dataclass(frozen=True, slots=True)
class Analysis:
    """The interpreter's result for one program."""

    headline: HeadlinePath | None
    declared: dict[str, Setting]
    """The reconstructed run environment."""
    incomplete: tuple[str, ...] = ()
    """Why the analysis is not complete (budget, opaque layer, crash), empty where it is."""
    trace: Trace = field(default_factory=Trace)
    composition: Composition | None = None
    """What the headline number is made of, None where it could not be found."""
    leaks: tuple[Leak, ...] = ()
    ahead: tuple[LookAhead, ...] = ()
    """Networks behind the headline whose predictions know their targets."""
    rivals: tuple[Analysis, ...] = ()
    """The same run's other final metrics, where nothing says which of them is the claimed number."""
    beside: tuple[Beside, ...] = ()
    """Metrics that the program has and that are not the claimed number."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A metric that is not the claimed one, and which switches were turned for it to be printed."""

    analysis: Analysis
    switches: tuple[Switch, ...] = ()
    """Empty where the claimed run printed it as well."""
