"""What one run of the constant evaluator knows and records: budgets, virtual files, variables, sinks."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from auditor.errors import BudgetExceeded
from auditor.limits import UnpackLimits
from auditor.unpack.values import UNKNOWN, Const, Trail, Value

HOME = "/checkout/records/track/submission"
"""Virtual folder of the submission: deep enough for scripts that climb to the top of the repository."""


@dataclass(frozen=True, slots=True)
class Sink:
    """One place where the shim runs code that it does not hold as syntax."""

    kind: str
    line: int
    column: int
    content: Const | None = None
    """The source that runs, None where it is unknown."""
    module: str | None = None
    """Name of the module whose namespace it runs in, where that is not the script's own."""
    path: str | None = None
    """Shipped file that is run, relative to the submission."""
    reason: str = ""
    node: ast.AST | None = None


@dataclass(slots=True)
class State:
    """Mutable state of one evaluation."""

    file: str
    raw: bytes
    sibling: Callable[[str], bytes | None]
    limits: UnpackLimits
    literal_range: Callable[[ast.Constant], tuple[int, int] | None]
    variables: dict[str, Value] = field(default_factory=dict)
    written: dict[str, Value] = field(default_factory=dict)
    sinks: list[Sink] = field(default_factory=list)
    visited: set[int] = field(default_factory=set)
    """Ids of the call nodes that were evaluated."""
    relevant: frozenset[str] = frozenset()
    """Names of functions from which a sink can be reached."""
    steps: int = 0
    held: int = 0
    depth: int = 0
    temporary: int = 0

    def step(self, count: int = 1) -> None:
        """Spend steps; `BudgetExceeded` when none are left."""
        self.steps += count
        if self.steps > self.limits.fold_steps:
            raise BudgetExceeded("constant folding steps", self.limits.fold_steps)

    def hold(self, size: int) -> None:
        """Account for a constant of `size` bytes before it is made."""
        if size > 64:
            self.held += size
        if self.held > self.limits.fold_bytes:
            raise BudgetExceeded("bytes of folded constants", self.limits.fold_bytes)

    def own_path(self) -> str:
        """Return the virtual path of the script."""
        return posixpath.join(HOME, self.file)

    def read(self, path: str) -> Value:
        """Return the bytes of a virtual or shipped file as a constant, or UNKNOWN."""
        full = absolute(path)
        if full in self.written:
            return self.written[full]
        if full == self.own_path():
            return Const(self.raw, Trail(("self",)))
        relative = shipped(full)
        data = self.sibling(relative) if relative else None
        if data is None:
            return UNKNOWN
        self.hold(len(data))
        return Const(data, Trail(("file",), file=relative))


def absolute(path: str) -> str:
    """Return a virtual path as absolute and normal; the working directory is the submission."""
    return posixpath.normpath(posixpath.join(HOME, path))


def shipped(path: str) -> str | None:
    """Return a virtual path relative to the submission, None where it lies outside."""
    full = absolute(path)
    return full[len(HOME) + 1 :] if full.startswith(HOME + "/") else None
