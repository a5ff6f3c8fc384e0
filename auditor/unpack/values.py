"""Values of the bounded constant evaluator. Plain data: no value here can run anything."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Trail:
    """Where the bytes of a constant come from: codecs outermost first, byte range of the literal, side file."""

    codecs: tuple[str, ...] = ()
    origin: tuple[int, int] | None = None
    file: str | None = None

    def joined(self, other: Trail) -> Trail:
        """Merge the trails of two constants that were put together."""
        spans = [origin for origin in (self.origin, other.origin) if origin is not None]
        span = (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None
        codecs = self.codecs if len(self.codecs) >= len(other.codecs) else other.codecs
        return Trail(codecs, span, self.file or other.file)

    def through(self, codec: str) -> Trail:
        """Append one decoding step."""
        return Trail((*self.codecs, codec), self.origin, self.file)


NO_TRAIL: Final = Trail()


@dataclass(frozen=True, slots=True)
class Const:
    """A known constant: None, bool, int, float, str, bytes. `value` is never mutated."""

    value: Any
    trail: Trail = NO_TRAIL


@dataclass(slots=True)
class Sequence_:
    """A tuple or list of values."""

    items: list[Value]
    kind: str = "list"


@dataclass(slots=True)
class Mapping_:
    """A dict with constant keys; `complete` False where it may hold more than is known."""

    items: dict[Any, Value]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Ref:
    """A module, class or function of the standard library or of the environment, by dotted name."""

    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """A bound method of a known value."""

    owner: Value
    name: str


@dataclass(frozen=True, slots=True)
class PathValue:
    """A pathlib path; `path` is absolute in the virtual tree or relative to it."""

    path: str


@dataclass(slots=True)
class FileValue:
    """An open file: what a read gives, or where a write goes."""

    path: str
    mode: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """The result of compile() over a known or unknown source."""

    source: Value


@dataclass(frozen=True, slots=True)
class Spec:
    """A module spec or the module made from it."""

    name: Value
    path: Value
    loaded: bool = False


@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A fresh types.ModuleType."""

    name: Value


@dataclass(frozen=True, slots=True)
class Namespace:
    """The __dict__ of a module, or the script's own globals (owner None)."""

    owner: ModuleValue | Spec | None


@dataclass(frozen=True, slots=True)
class Function:
    """A function or lambda of the shim."""

    node: ast.FunctionDef | ast.Lambda
    scope: Mapping[str, Value] = field(default_factory=dict)


class _Unknown:
    """A value that static evaluation does not know."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

Value = (
    Const
    | Sequence_
    | Mapping_
    | Ref
    | Method
    | PathValue
    | FileValue
    | Code
    | Spec
    | ModuleValue
    | Namespace
    | Function
    | _Unknown
)
