"""Log what the rewritten script adds up and prints, bounded in memory, and fire a callback at a chosen moment.

Must not change a value that passes through it, and must not decide anything.
"""

from __future__ import annotations

import re
import sys
import threading
from array import array
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import numpy as np
import torch

from auditor.prover.child.settings import Settings

Array = np.ndarray[Any, np.dtype[np.float64]]
CHAIN = 4
"""Calls above a logged place that are remembered: enough to reach the eval function from a helper."""
MAX_ARRAY = 1 << 17
"""Elements of the largest array logged: weights and gradients are larger or irrelevant."""
MAX_KEY = 1 << 17
"""Elements kept per key before its oldest half is dropped."""
MAX_TOTAL = 1 << 23
"""Elements kept altogether; later ones are dropped, and the log says so."""
MAX_LINES = 4000
RECENT = 48
"""Arrays remembered so that a scalar added to an accumulator can be traced to the array whose sum it is."""
AGREE = 2e-6
"""Relative agreement that makes a scalar the sum or mean of an array."""
RARE = 20
"""Scalars of a key that are no sum, for each that is one, from which on the ones that are were so by chance: of 2,096
single losses, each held against 48 arrays, three agreed with a mean."""
FLAT = 2048
"""Elements above which a tensor with three axes or more is taken for activations, which are not logged."""


class KeyLog:
    """The entries of one key: values, and for every entry its length, moment and the calls around it."""

    __slots__ = ("chains", "dropped", "lengths", "scalars", "size", "times", "traced", "values")

    def __init__(self) -> None:
        self.values: list[Array] = []
        self.lengths = array("q")
        self.times = array("q")
        self.chains = array("q")
        self.size = 0
        self.dropped = 0
        self.scalars = 0
        """Entries that are a scalar of which no array is known."""
        self.traced: dict[int, Array] = {}
        """Entry number, dropped ones included -> the scalar that was taken for the sum of the array logged for it."""

    def settle(self) -> None:
        """Put back the scalars that were taken for sums by chance."""
        if RARE * len(self.traced) < self.scalars:
            for number, scalar in self.traced.items():
                at = number - self.dropped
                if at >= 0:
                    self.values[at], self.lengths[at] = scalar, 1
            self.traced.clear()

    def halve(self) -> int:
        """Drop the older half of the entries; return how many elements went."""
        cut = len(self.values) // 2
        gone = sum(len(v) for v in self.values[:cut])
        del self.values[:cut], self.lengths[:cut], self.times[:cut], self.chains[: cut * CHAIN]
        self.size -= gone
        self.dropped += cut
        return gone


class Recorder:
    """The object behind the hook name of a rewritten script."""

    def __init__(self, settings: Settings, only: Iterable[int] | None = None) -> None:
        self.only = None if only is None else frozenset(only)
        """Keys to log; moments pass, and arrays are remembered, for all keys alike. None logs every key."""
        self.latest: dict[int, int] = {}
        """Moment of the latest call, by identity of its code object."""
        self.keys: dict[int, KeyLog] = {}
        self.lines: list[dict[str, Any]] = []
        self.pending: dict[int, list[tuple[str, float]]] = {}
        self.recent: list[Array | None] = [None] * RECENT
        self.sums = np.full((2, RECENT), np.nan)
        """float64 [sum and mean, slot] of remembered arrays; `arrays` counts them, its remainder is the next slot."""
        self.arrays = 0
        self.now = 0
        self.thread = threading.get_ident()
        self.total = 0
        self.overflow = False
        self.down, self.step, self.hashes, self.count = settings.down, settings.step, settings.hashes, settings.count
        self.fire_at: int | None = None
        self.fire: Callable[[], None] = lambda: None
        self.watch: tuple[int, int] | None = None
        """(key, entry number): call `seen` as soon as this many entries of the key are logged."""
        self.seen: Callable[[], None] = lambda: None
        self.busy = False
        """True where nothing is to be logged any more, or for now, whichever thread asks."""
        self.inside = threading.local()
        """`on` where this thread is about to log: what logging calls is not logged itself."""

    # Moments ------------------------------------------------------------------------------------------------------

    def tick(self) -> int:
        """Let a moment pass, in the thread that runs the script: what others do in between differs from run to run.

        A copy forked from another thread would hold no other thread, and wait for them for ever.
        """
        if threading.get_ident() != self.thread:
            return self.now
        self.now += 1
        if self.fire_at is not None and self.now >= self.fire_at:
            self.fire_at = None
            self.fire()
        return self.now

    def enter(self) -> int:
        moment = self.tick()
        self.latest[id(sys._getframe(1).f_code)] = moment
        return moment

    def chain(self, first: int) -> tuple[int, ...]:
        """Moments at which the calls around the current place began, innermost first; the module is none of them."""
        out = [first]
        frame = sys._getframe(3)
        for _ in range(24):
            frame = frame.f_back  # type: ignore[assignment]
            if frame is None or len(out) == CHAIN:
                break
            run = self.latest.get(id(frame.f_code))
            if run is not None and run != out[-1] and frame.f_code.co_name != "<module>":
                out.append(run)
        return tuple(out + [0] * (CHAIN - len(out)))

    # Arithmetic ---------------------------------------------------------------------------------------------------

    def method(self, key: int, owner: Any, name: str, run: int) -> Any:
        function = getattr(owner, name)
        if isinstance(owner, (ModuleType, type)):

            def reduce_argument(*args: Any, **kwargs: Any) -> Any:
                if len(args) == 1 and not ({"dim", "axis"} & kwargs.keys()):
                    self.note(key, args[0], run, True)
                return function(*args, **kwargs)

            return reduce_argument
        if isinstance(owner, torch.Tensor | np.ndarray):

            def reduce_owner(*args: Any, **kwargs: Any) -> Any:
                whole = not args and not ({"dim", "axis"} & kwargs.keys())
                if whole or owner.ndim == 1:
                    self.note(key, owner, run, True)
                return function(*args, **kwargs)

            return reduce_owner
        return function

    def elements(self, key: int, values: Any, run: int) -> Any:
        if isinstance(values, list | tuple | torch.Tensor | np.ndarray):
            self.note(key, values, run, True)
        return values

    def add(self, key: int, value: Any, run: int) -> Any:
        self.note(key, value, run, False)
        return value

    def subtract(self, key: int, value: Any, run: int) -> Any:
        data = as_array(value)
        if data is not None:
            self.note(key, -data, run, False)
        return value

    def store(self, key: int, value: Any, run: int) -> Any:
        if isinstance(value, float | torch.Tensor | np.ndarray | np.floating):
            self.note(key, value, run, False)
        return value

    def note(self, key: int, value: Any, run: int, reduced: bool) -> None:
        """Log `value` under `key`; a scalar is replaced by the recent array whose sum or mean it is."""
        if self.busy or getattr(self.inside, "on", False):
            return
        self.tick()
        wanted = self.only is None or key in self.only
        if self.overflow or not (wanted or reduced):
            return
        self.inside.on = True
        try:
            data = as_array(value)
        finally:
            self.inside.on = False
        if data is None:
            return
        if reduced and data.size > 1:
            self.remember(data)
        if not wanted:
            return
        log = self.keys.get(key)
        if log is None:
            log = self.keys[key] = KeyLog()
        if data.size == 1:
            scalar, data = data, self.origin(data)
            if data is scalar:
                log.scalars += 1
            else:
                log.traced[len(log.values) + log.dropped] = scalar
        log.values.append(data)
        log.lengths.append(data.size)
        log.times.append(self.now)
        log.chains.extend(self.chain(run))
        log.size += data.size
        self.total += data.size + CHAIN
        if log.size > MAX_KEY or len(log.values) > MAX_KEY:
            self.total -= log.halve()
        self.overflow = self.total > MAX_TOTAL
        if self.watch is not None and self.watch[0] == key and len(log.values) + log.dropped >= self.watch[1]:
            self.watch = None
            self.seen()

    def remember(self, data: Array) -> None:
        slot = self.arrays % RECENT
        self.recent[slot] = data
        self.sums[:, slot] = data.sum(), data.mean()
        self.arrays += 1

    def origin(self, scalar: Array) -> Array:
        """Return the latest array whose sum or mean, or the negative of one, is the scalar; else the scalar.

        A whole number is a count, which agrees with means of other counts by chance.
        """
        value = float(scalar[0])
        if value.is_integer():
            return scalar
        near = np.abs(np.abs(self.sums) - abs(value)) <= AGREE * max(abs(value), 1e-9)
        slots = np.flatnonzero(near.any(axis=0))
        if not slots.size:
            return scalar
        slot = int(max(slots, key=lambda s: (s - self.arrays) % RECENT))
        data = self.recent[slot]
        assert data is not None
        same = np.abs(self.sums[:, slot] - value) <= AGREE * max(abs(value), 1e-9)
        return data if same.any() else -data

    # Printing -----------------------------------------------------------------------------------------------------

    def piece(self, site: int, prefix: str, value: Any) -> Any:
        number = as_float(value)
        if number is not None:
            self.pending.setdefault(site, []).append((prefix, number))
        return value

    def line(self, site: int, text: str) -> str:
        pieces = self.pending.pop(site, [])
        if pieces and len(self.lines) < MAX_LINES:
            moment = self.tick()
            self.lines.append({"site": site, "text": text[:400], "pieces": pieces[:24], "at": moment})
        return text

    def plain(self, text: str) -> None:
        """Log a printed line; the numbers of one that no f-string made are read from its text."""
        if self.lines and self.lines[-1]["text"] == text[:400]:
            self.lines[-1]["printed"] = True
            return
        found = [(m.group(1), float(m.group(2))) for m in NUMBER.finditer(text[:2000])]
        if found and len(self.lines) < MAX_LINES:
            line = {"site": -1, "text": text[:400], "pieces": found[:24], "at": self.tick(), "printed": True}
            self.lines.append(line)


NUMBER = re.compile(r"([A-Za-z_][\w ]{0,30}[:= ]+)(-?\d+\.\d+)")


def as_float(value: Any) -> float | None:
    if isinstance(value, torch.Tensor) and value.numel() == 1 and value.is_floating_point():
        return float(value.detach())
    if isinstance(value, float | np.floating):
        return float(value)
    return None


def as_array(value: Any) -> Array | None:
    """Return a flat float64 copy of a number, array, tensor or list of them; None for anything else."""
    if isinstance(value, torch.Tensor):
        if value.numel() == 0 or value.numel() > MAX_ARRAY or value.is_complex() or value.device.type == "meta":
            return None
        if value.ndim > 2 and value.numel() > FLAT:
            return None
        if torch._C._functorch.is_functorch_wrapped_tensor(value):  # one of many at once: it has no numbers
            return None
        flat: Array = value.detach().reshape(-1).to(torch.float64).numpy().copy()
        return flat
    if isinstance(value, np.ndarray | np.generic):
        flat = np.asarray(value)
        if flat.dtype.kind not in "fiub" or not 0 < flat.size <= MAX_ARRAY:
            return None
        return flat.astype(np.float64).reshape(-1)
    if isinstance(value, bool):
        return None
    if isinstance(value, float | int):
        return np.array([float(value)]) if abs(value) < 1e300 else None
    if isinstance(value, list | tuple) and 0 < len(value) <= MAX_ARRAY:
        return as_joined(value)
    return None


def as_joined(values: list[Any] | tuple[Any, ...]) -> Array | None:
    kinds = (float, int, np.ndarray, np.generic, torch.Tensor)
    if not all(isinstance(v, kinds) and not isinstance(v, bool) for v in values):
        return None
    parts = [as_array(v) for v in values]
    kept = [p for p in parts if p is not None]
    return np.concatenate(kept) if kept and len(kept) == len(parts) else None
