"""How a network was called on validation tokens, so that its inside can be followed once more afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.interp.values import Instance, Mark, Sym

ENOUGH = 4_096
"""Tokens compared to see how far targets are ahead of inputs: a window or more."""


@dataclass(frozen=True, slots=True)
class Given:
    """How a network was called: arguments as they were, tokens as (axes, places ahead of the inputs)."""

    receiver: Instance
    function: str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]

    @property
    def signature(self) -> tuple[Any, ...]:
        """Return what tells calls of one network apart: the method, plain arguments, and which of them are tokens."""
        values = [(None, value) for value in self.args] + list(self.kwargs)
        plain = (bool, float, int, str, type(None))
        return self.function, *[(n, v if isinstance(v, plain) else _kind(v)) for n, v in values]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Stands for token ids among the arguments."""

    axes: int
    ahead: int
    """How many places further in the stream they are than the inputs: 1 for targets."""
    single: bool = False
    """True for a batch of one window."""


def given(receiver: Instance, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given | None:
    """Describe a call of a network on validation tokens; None where its inputs are no plain windows of tokens."""
    first = next((v for v in (*args, *kwargs.values()) if isinstance(v, Sym) and v.mark & Mark.TOKENS), None)
    if first is None or first.mark & (Mark.TRAIN | _MADE) or first.keys or not _windows(first):
        return None
    described = [_described(first, value) for value in args]
    return Given(receiver, name, tuple(described), tuple((k, _described(first, v)) for k, v in kwargs.items()))


def _kind(value: Any) -> Any:
    return (value.axes, value.ahead) if isinstance(value, Tokens) else type(value).__name__


_MADE = Mark.MIXED | Mark.TOLD | Mark.LOOKUP | Mark.TABLE
"""Marks of what was made from tokens and does not stand in the stream as it is."""


def _windows(tokens: Sym) -> bool:
    """Say whether tokens are rows of consecutive places, as far as that is known."""
    if tokens.shape is None or len(tokens.shape) not in (1, 2) or 0 in tokens.shape:
        return False
    row = None if tokens.pos is None else tokens.pos.reshape(-1, tokens.shape[-1])[0]
    return row is None or row.size < 2 or bool(row[1] == row[0] + 1) or bool(row[1] < 0)


def _described(first: Sym, value: Any) -> Any:
    if not isinstance(value, Sym):
        return value
    single = value.shape is not None and len(value.shape) == 2 and value.shape[0] == 1
    if value is first:
        return Tokens(len(value.shape or ()), 0, single)
    if value.mark & Mark.TOKENS and not value.mark & _MADE and not value.keys and _ahead(first, value) == 1:
        return Tokens(len(value.shape or ()), 1, single)
    weight = bool(value.mark & Mark.PARAM)
    return Sym(value.node, shape=value.shape if weight else None, mark=value.mark & Mark.PARAM, name="argument")


def _ahead(first: Sym, value: Sym) -> int | None:
    """Return how many places further in the stream other tokens are, None where that is not known or not the same."""
    if first.pos is None or value.pos is None or first.pos.shape != value.pos.shape:
        return None
    ours, theirs = first.pos.reshape(-1)[:ENOUGH], value.pos.reshape(-1)[:ENOUGH]
    steps = (theirs - ours)[(ours >= 0) & (theirs >= 0)]
    return int(steps[0]) if steps.size and int(steps.min()) == int(steps.max()) else None
