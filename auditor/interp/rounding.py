"""Rounding of weights: from there on a tensor holds other numbers than those that were trained.

An export that rounds makes another model. Which of the two a number was scored with is told by whether the weights of
its forward passes had been rounded; a cast to a shorter float is no such step.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.interp.graph import Kind, ancestors
from auditor.interp.machine import Machine
from auditor.interp.values import External, Sym

_WHOLE = re.compile(r"(?:^|\.)u?int(?:8|16)$|^[<|]?[iu][12]$")
"""Types of few whole numbers, as torch and numpy name them."""
_CASTS = frozenset(["to", "type", "astype"])
_NAMED = frozenset(["byte", "char", "round", "rint", "round_"])
"""Methods that round by their name alone."""
_WEIGHTS = frozenset((Kind.PARAM, Kind.STEP, Kind.PARAM_WRITE))
_REACH = 600
"""Events that are looked at for a weight: a state dictionary names its tensors at once."""


def rounded(m: Machine, value: Any) -> Any:
    """Put an event behind a value that was rounded just now, where it was made of weights."""
    node = value.node if isinstance(value, Sym) else None
    if node is None or node.info.get("rounded") or value.pos is not None or value.val is not None:
        return value
    if any(n.kind in _WEIGHTS for n in ancestors(node, into_state=False, cap=_REACH)):
        value.node = m.node(Kind.OP, [node], text="rounds weights", rounded=True)
    return value


def cast(m: Machine, made: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return a copy that a method made, with an event behind it where the method rounds."""
    whole = name in _CASTS and any(_is_whole(argument) for argument in (*args, *kwargs.values()))
    return rounded(m, made) if whole or name in _NAMED else made


def _is_whole(kind: Any) -> bool:
    text = kind.path if isinstance(kind, External) else kind
    return isinstance(text, str) and _WHOLE.search(text) is not None


def call_rounding(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a library function that rounds its first argument."""
    from auditor.interp.arrays import HANDLERS

    return rounded(m, HANDLERS["elementwise"](m, path, args, kwargs))
