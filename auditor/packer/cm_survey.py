"""Code a known text under many parameters of the context-mixing model at once, to see which costs least.

The same walk as `cm_model.walk`, turned inside out: the text is known, so every context's states are laid out first,
and one pass of numpy then mixes for all parameters side by side. Every sum is taken in `walk`'s order, so that the odds
are the same to the bit; `verify` decodes each finished file with `walk` itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.packer.cm_model import CONTEXTS, START, STEEPEST, CmParams, History, log_odds, squash, transitions

Array = np.ndarray[Any, Any]
TABLE = 1 << 13
"""More than twice the largest mixed value."""


@dataclass(frozen=True, slots=True)
class Coded:
    """One setting's result: `odds` of a 1 for every bit (of 65536), and what they cost."""

    params: CmParams
    odds: Array
    cost: float
    """Bytes of an ideal coder."""


def _paths(bits: int) -> list[tuple[tuple[int, int], ...]]:
    """Return for every symbol the partial symbols that it passes and the bit that follows each."""
    found = []
    for symbol in range(1 << bits):
        marked = symbol | 1 << bits
        found.append(tuple((marked >> shift + 1, marked >> shift & 1) for shift in range(bits - 1, -1, -1)))
    return found


def _keys(text: str) -> list[tuple[str, ...]]:
    """Return the contexts at every position."""
    history = History()
    found = []
    for symbol in text:
        found.append(history.contexts())
        history.push(symbol)
    return found


def _states(text: str, keys: list[tuple[str, ...]], paths: list[tuple[tuple[int, int], ...]], lag: int) -> Array:
    """Return the state that each context is in before each bit: (bits, contexts)."""
    move = transitions(lag)
    columns = []
    for index in range(len(CONTEXTS)):
        slots: dict[str, dict[int, int]] = {}
        column: list[int] = []
        for symbol, key in zip(text, keys, strict=True):
            slot = slots.setdefault(key[index], {})
            for node, bit in paths[ord(symbol)]:
                state = slot.get(node, START)
                column.append(state)
                slot[node] = move[bit][state]
        columns.append(np.array(column, np.int16))
    return np.stack(columns, 1)


class _Mixer:
    """Weights and mixing of all settings: axes are contexts, lags, and settings of equal lag."""

    def __init__(self, grid: list[list[CmParams]]) -> None:
        self.shape = (len(CONTEXTS), len(grid), len(grid[0]))
        self.rate = np.array([[p.rate / 1e11 for p in row] for row in grid])
        self.first = np.broadcast_to(np.array([[p.weight / 100 for p in row] for row in grid]), self.shape)
        self.weights: dict[int | str, Array] = {}
        # Indexed by the mixed value itself, negative ones from the end, as take(mode="wrap") reads it.
        chances = [9 + int(squash(m if m <= STEEPEST else m - TABLE)) for m in range(TABLE)]
        self.chances = np.array(chances, np.uint16)
        self.pulls = np.array([[-c for c in chances], [65536 - c for c in chances]], float)

    def zero(self, key: str) -> Array:
        found = self.weights.get(key)
        if found is None:
            found = self.weights[key] = np.zeros(self.shape)
        return found

    def node(self, key: int) -> Array:
        found = self.weights.get(key)
        if found is None:
            found = self.weights[key] = self.first.copy()
        return found

    def run(self, text: str, inputs: Array, paths: list[tuple[tuple[int, int], ...]]) -> tuple[Array, Array]:
        """Return the odds of every bit (bits, lags, settings) and which settings stayed within the model's range."""
        trace = np.empty((len(inputs), *self.shape[1:]), np.int32)
        work, step = np.empty(self.shape), np.empty(self.shape)
        down, up = self.pulls
        at = 0
        for place, symbol in enumerate(text):
            by_one, by_two = self.zero(text[max(0, place - 1) : place]), self.zero(text[max(0, place - 2) : place])
            for node, bit in paths[ord(symbol)]:
                by_node, given = self.node(node), inputs[at]
                np.add(by_node, by_one, work)
                np.add(work, by_two, work)
                np.multiply(work, given, work)
                mixed = trace[at]
                mixed[...] = np.add.accumulate(work, 0, None, work)[-1]
                np.multiply(given, (up if bit else down).take(mixed, mode="wrap") * self.rate, step)
                np.add(by_node, step, by_node)
                np.add(by_one, step, by_one)
                np.add(by_two, step, by_two)
                at += 1
        return self.chances.take(trace, mode="wrap"), np.abs(trace).max(0, initial=0) < STEEPEST


def survey(text: str, settings: Iterable[CmParams]) -> list[Coded]:
    """Return every setting's odds and cost, cheapest first; settings that leave the model's range are left out.

    All settings must agree in length and width, and every lag must come with as many of them.
    """
    rows: dict[int, list[CmParams]] = {}
    for params in settings:
        rows.setdefault(params.lag, []).append(params)
    grid = list(rows.values())
    paths, keys = _paths(grid[0][0].bits), _keys(text)
    table = np.array([float(int(v)) for v in log_odds()])
    inputs = np.stack([table[_states(text, keys, paths, row[0].lag)] for row in grid], 2)[..., None]
    odds, fits = _Mixer(grid).run(text, inputs, paths)
    ones = np.array([bit for symbol in text for _, bit in paths[ord(symbol)]], bool)
    spent = np.where(ones[:, None, None], odds, 65536 - odds.astype(np.int64))
    cost = -np.log2(spent / 65536).sum(0) / 8
    found = [
        Coded(params, odds[:, i, j], float(cost[i, j]))
        for i, row in enumerate(grid)
        for j, params in enumerate(row)
        if fits[i, j]
    ]
    return sorted(found, key=lambda c: c.cost)
