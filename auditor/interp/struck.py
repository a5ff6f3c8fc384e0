"""Losses that are struck out where the target is found in a list of tokens: what is predicted there is not paid for.

The list may be shipped or kept from the validation text itself; a prediction that a model, a table or the context made
is none. Bytes that are struck out by the same match are a smaller text, not a cheaper one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.machine import Machine
from auditor.interp.values import BUFFER, Mark, Sym

LOSS, OTHER = "loss", "other"
"""What was struck out."""
_PREDICTED = (Kind.FORWARD, Kind.CACHE_READ, Kind.LOSS, Kind.PARAM, Kind.NATIVE, Kind.UNMODELLED)
_REACH = 400
"""Events looked through between a list and the file that it came from."""
_NEAR = 12
"""Events between a comparison and the mask that it is used as: an inversion, a change of type."""
_ZEROS = frozenset(f"{module}.{name}" for module in ("numpy", "torch") for name in ("zeros", "zeros_like"))
_GUESSES = Mark.LOGITS | Mark.HIDDEN | Mark.LOOKUP | Mark.TOLD | Mark.TABLE | Mark.NLL | Mark.VOCAB | Mark.PARAM


def matched(m: Machine, made: Sym, left: Any, right: Any) -> None:
    """Put an event behind a comparison of validation tokens with a list of tokens that nothing predicted."""
    for target, listed in ((left, right), (right, left)):
        if _is_target(target) and _is_list(listed):
            made.node = m.node(Kind.OP, [made.node], text="finds the target in a list of tokens", match=True)
            return


def _is_target(value: Any) -> bool:
    return isinstance(value, Sym) and bool(value.mark & Mark.TOKENS) and not value.mark & (Mark.TRAIN | Mark.TOLD)


def _is_list(value: Any) -> bool:
    if not isinstance(value, Sym) or value.mark & _GUESSES or value.name == "scalar" or value.shape == ():
        return False
    if value.val is not None or value.pos is not None:
        return False
    if value.node is None:
        # Bytes that the script carries itself.
        return value.name == BUFFER
    if value.node.kind is Kind.SERIALIZE and value.mark & Mark.TOKENS:
        # Out of one file with the weights, which everything in it seems to be made of.
        return True
    behind = list(ancestors(value.node, into_state=True, cap=_REACH))
    loads = [n for n in behind if n.kind is Kind.LOAD and n.info.get("split") in ("", "val")]
    return bool(loads) and not any(n.kind in _PREDICTED for n in behind)


def strike(m: Machine, made: Sym, value: Sym, mask: Any) -> None:
    """Note that a value counts only where its target is not found in a list, or only where it is."""
    found = _match(mask)
    if found is None or made.node is None:
        return
    what = LOSS if value.mark & Mark.NLL else OTHER
    made.node = m.node(Kind.OP, [made.node, found], text="strikes out what was found", struck=what)


def _match(mask: Any) -> Node | None:
    if not isinstance(mask, Sym) or mask.node is None or mask.val is not None:
        return None
    return next((n for n in ancestors(mask.node, into_state=False, cap=_NEAR) if n.info.get("match")), None)


def strike_product(m: Machine, made: Sym, syms: list[Sym], masks: list[bool]) -> None:
    """Note it of a product of a value and a mask."""
    if len(syms) == 2 and masks[0] != masks[1]:
        value, mask = syms if masks[1] else reversed(syms)
        strike(m, made, value, mask)


def strike_choice(m: Machine, made: Sym, condition: Any, sides: tuple[Any, Any]) -> None:
    """Note it of a choice between a value and zero."""
    for value, other in (sides, sides[::-1]):
        if _zero(other) and isinstance(value, Sym) and not _zero(value):
            strike(m, made, value, condition)


def _zero(value: Any) -> bool:
    known = value.val if isinstance(value, Sym) else value
    if isinstance(known, np.ndarray):
        known = known.reshape(-1)[0].item() if known.size == 1 else None
    if isinstance(value, Sym) and value.node is None and value.name in _ZEROS:
        return True
    return isinstance(known, (int, float)) and known == 0
