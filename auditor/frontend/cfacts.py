"""What is known of the data of a C function, in terms of its parameters: atoms, outputs, summaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array parameter, at a distance from the element that is written (or from a variable)."""

    parameter: int
    base: str
    """The index variable; empty once the distance is from the written element."""
    shift: int
    """Where it is not exact, at most this and negative."""
    via: int | None = None
    """The parameter that holds positions: the element is `array[positions[i] + shift]`."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A parameter's value, or memory behind it at a place that is not known."""

    parameter: int


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that this reader cannot follow."""


Atom = Element | Whole | Unread
Atoms = frozenset[Atom]
NONE: Atoms = frozenset()


@dataclass(frozen=True, slots=True)
class Output:
    """An array parameter that is written element by element."""

    parameter: int
    atoms: Atoms
    line: int
    share: bool
    """Only zeros and quotients of two plain values (a count by a total) are written."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one function does to its caller's data."""

    parameters: tuple[str, ...]
    returned: Atoms
    written: Mapping[int, Atoms]
    """Pointer parameter -> what the memory behind it may hold afterwards, where that changed."""
    outputs: tuple[Output, ...]


def substituted(atoms: Atoms, given: list[Atoms]) -> Atoms:
    """Say in terms of the caller what a callee says in terms of its parameters."""
    out: Atoms = frozenset(atom for atom in atoms if isinstance(atom, Unread))
    for atom in atoms:
        if isinstance(atom, Whole) and 0 <= atom.parameter < len(given):
            out |= given[atom.parameter]
    return out


def anywhere(atoms: Atoms, variable: str | None = None) -> Atoms:
    """Forget distances from a loop's variable (from all of them): behind the loop they mean nothing."""
    return frozenset(Whole(a.parameter) if isinstance(a, Element) and variable in (None, a.base) else a for a in atoms)
