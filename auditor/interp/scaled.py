"""Losses that are multiplied with a number below one and then added up: what is counted is no longer bits.

A power of a probability sums to more than one over the vocabulary. A temperature acts on logits, before they are
normalised; the numbers of counts, ranks and mixtures are not added up directly, or are no short decimal near one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.interp.graph import Kind, Node
from auditor.interp.machine import Machine
from auditor.interp.values import FACTOR, Mark, Sym

LEAST = 0.8
"""Below it a factor is likelier a weight or an average than a discount; the discounts seen are 0.98."""
DIGITS = 3
"""Decimals of a number that somebody wrote down; shares of counts have more."""


def scaling(made: Sym, operands: tuple[Any, ...], function: Callable[..., Any] | None) -> None:
    """Note that a value is the product of per-token losses and a written number a little below one."""
    if function not in (operator.mul, np.multiply) or not made.mark & Mark.NLL or made.shape == ():
        return
    factor = next((v for v in operands if type(v) is float), None)
    if factor is not None and LEAST <= factor < 1.0 and factor == round(factor, DIGITS):
        made.attrs = {**(made.attrs or {}), FACTOR: factor}


def summed_power(m: Machine, value: Sym, name: str, node: Node) -> Node:
    """Put an event behind the sum of losses that had just been multiplied with such a number."""
    factor = value.attrs.get(FACTOR) if value.attrs is not None and name in ("sum", "mean") else None
    return node if factor is None else m.node(Kind.OP, [node], text=f"adds up losses times {factor:g}", scaled=factor)
