"""The context-mixing model behind `--level max`: one readable definition that the encoder and the static decoder share.

The text is coded bit by bit (most significant first). Each context keeps, per partial symbol, a small integer state (a
probability on a grid of 1024 steps and a count up to 7); the states' log-odds (scaled by their counts) are mixed with
three summed weight rows and
squashed to 16 bits. The decoder that travels in a shim (`cm_shim`) is a compressed spelling of exactly this walk.

Determinism: log and 2**x are evaluated at fixed points only and rounded to integers at once; everything else is integer
arithmetic or IEEE addition and multiplication in a fixed order, so every platform and Python version decodes the same
text. `rounding_margin` proves that no table entry sits near a rounding edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import Protocol

from auditor.errors import BudgetExceeded

GRID = 1024
COUNTS = 8
START = GRID // 2 * COUNTS
"""State of a context that has not been seen: even odds, count 0."""
STEEPEST = 4_000
"""Largest mixed value (1/143 nat) that the rounding proof covers; an encoder that leaves it gives up."""

CONTEXTS = (
    "s[-1:]",
    "s[-2:]",
    "s[-3:]",
    "s[-4:]",
    "s[-8:]",
    "s[-5:-1]",
    "w",
    "k[-2:]",
    "k[-4:]",
    "k[-6:]+w",
    "k[-12:]+w",
    "b[0]",
    "b[0]+s[-1:]",
    "s[s.rfind('\\n'):][:6]+s[-3:]",
)
"""Every context as the travelling decoder spells it: s text so far, w current word, k skeleton (words collapsed to
"a"), b stack of open brackets with the word before each."""


@dataclass(frozen=True, slots=True)
class CmParams:
    """What is tuned per script and spelled in the shim."""

    length: int
    """Symbols of the text."""
    rate: int = 60
    """Learning rate of the mixer, in 1e-11 per unit of error and log-odds."""
    lag: int = 12
    """Tenths added to the count when a state moves: smaller trusts new evidence more."""
    weight: int = 14
    """Initial mixing weight in hundredths."""
    wide: bool = False
    """8 bits a symbol (UTF-8 bytes) instead of 7 (plain ASCII)."""

    @property
    def bits(self) -> int:
        return 8 if self.wide else 7


class BitCoder(Protocol):
    """Either side of the arithmetic coder."""

    def code(self, odds: int) -> int:
        """Code one bit whose probability of being 1 is `odds` / 65536; return the bit."""


def log_odds() -> list[float]:
    """Return the unrounded mixer input of every state, in 1/143 nat."""
    rows = []
    for state in range(GRID * COUNTS):
        step, count = divmod(state, COUNTS)
        rows.append(143 * math.log((step + 2) / (GRID + 1 - step)) * (0.7 + 1 / (count + 1)))
    return rows


def squash(mixed: int) -> float:
    """Return the unrounded part of the probability (of 65536) that a mixed value stands for."""
    return 65518 / (1 + 2 ** (-mixed / 99))


def rounding_margin() -> float:
    """Return the least distance of any value that is truncated to the integer at which truncation would change it.

    Values that are integers by construction are exact on every platform and left out.
    """
    values = [*log_odds(), *(squash(mixed) for mixed in range(-STEEPEST, STEEPEST + 1))]
    return min(abs(v - round(v)) for v in values if v != int(v))


def transitions(lag: int) -> tuple[list[int], list[int]]:
    """Return the next state after a 0 and after a 1."""
    tables: tuple[list[int], list[int]] = ([], [])
    for state in range(GRID * COUNTS):
        step, count = divmod(state, COUNTS)
        for bit in (0, 1):
            target = bit * (GRID - 1)
            moved = int(step + (target - step) / (count + lag / 10) + 0.5)
            tables[bit].append(moved * COUNTS + min(count + 1, COUNTS - 1))
    return tables


class History:
    """Text seen so far and what the contexts need of it."""

    def __init__(self) -> None:
        self.text = ""
        self.word = ""
        self.skeleton = ""
        self.brackets = [""]

    def contexts(self) -> tuple[str, ...]:
        """Return the value of every entry of `CONTEXTS`, in that order."""
        s, w, k, b = self.text, self.word, self.skeleton, self.brackets[0]
        last = s[-1:]
        return (
            *(last, s[-2:], s[-3:], s[-4:], s[-8:], s[-5:-1]),
            *(w, k[-2:], k[-4:], k[-6:] + w, k[-12:] + w),
            *(b, b + last, s[s.rfind("\n") :][:6] + s[-3:]),
        )

    def push(self, symbol: str) -> None:
        """Append one symbol."""
        self.text += symbol
        if symbol in "([{":
            self.brackets = [self.word + symbol, *self.brackets]
        elif symbol in ")]}":
            self.brackets = self.brackets[1:] or [""]
        self.word = self.word + symbol if ("a" + symbol).isidentifier() else ""
        self.skeleton += ("" if self.word != symbol else "a") if self.word else symbol


def walk(coder: BitCoder, params: CmParams) -> str:
    """Run the model over a text of `params.length` symbols and return it.

    The coder supplies every bit: a decoder reads it from the payload, an encoder knows it and records the odds.
    """
    inputs = [int(v) for v in log_odds()]
    after = transitions(params.lag)
    count, rate = len(CONTEXTS), params.rate / 1e11
    states: dict[tuple[int, str], dict[int, int]] = {}
    weights: dict[int | str, list[float]] = {}
    history = History()
    chances = {mixed: 9 + int(squash(mixed)) for mixed in range(-STEEPEST, STEEPEST + 1)}
    top, code = 1 << params.bits, coder.code
    for _ in range(params.length):
        slots = [states.setdefault(key, {}) for key in enumerate(history.contexts())]
        by_one = weights.setdefault(history.text[-1:], [0.0] * count)
        by_two = weights.setdefault(history.text[-2:], [0.0] * count)
        node = 1
        while node < top:
            now = [slot.get(node, START) for slot in slots]
            given = [inputs[state] for state in now]
            by_node = weights.setdefault(node, [params.weight / 100] * count)
            mixed = reduce(add, map(mul, given, map(add, map(add, by_node, by_one), by_two)))
            if not -STEEPEST < mixed < STEEPEST:
                raise BudgetExceeded("mixed value of the context model", STEEPEST, abs(mixed))
            chance = chances[int(mixed)]
            bit = code(chance)
            error = (bit * 65536 - chance) * rate
            steps = [value * error for value in given]
            by_node[:] = map(add, by_node, steps)
            by_one[:] = map(add, by_one, steps)
            by_two[:] = map(add, by_two, steps)
            move = after[bit]
            for slot, state in zip(slots, now, strict=True):
                slot[node] = move[state]
            node += node + bit
        history.push(chr(node - top))
    return history.text
