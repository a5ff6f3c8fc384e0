"""Change validation tokens inside a running process: on disk and in every array that holds the stream.

Used only in forked copies, to spare the training that precedes an evaluation. The parent believes what such a copy
says only after one of them has given bit for bit what a whole run on changed files gave.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

WINDOW = 48
"""Tokens that must agree for an array to be recognised as a stretch of the stream."""
AROUND = 6
"""Neighbours on either side of a position that must agree too before it is changed: by chance they do not."""
ARRAYS = (np.ndarray, torch.Tensor)
KINDS = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.uint16)


Copy = tuple[np.ndarray, int]
"""A flat array and k with array[i + k] == stream[i]."""


def copies(stream: np.ndarray) -> list[Copy]:
    """Return every array of this process that holds a long stretch of `stream`."""
    found = []
    for view in integer_arrays({id(stream)}):
        offset = align(view, stream)
        if offset is not None:
            found.append((view, offset))
    return found


def apply(held: list[Copy], stream: np.ndarray, changes: dict[int, int]) -> None:
    """Write `changes` (position -> token) into every copy, where it holds `stream` around the position."""
    agreements = [agreement(view, stream, offset) for view, offset in held]  # copies may share memory
    for (view, offset), agreeing in zip(held, agreements, strict=True):
        for position, token in changes.items():
            if 0 <= position + offset < view.size and agreeing[position]:
                view[position + offset] = token


def agreement(view: np.ndarray, stream: np.ndarray, offset: int) -> np.ndarray:
    """Return bool [stream]: whether the array holds the stream within `AROUND` of each position, as far as it reaches.

    Rows of a batch overlap: seen flat, the array follows the stream to the end of a row, and then starts anew.
    """
    first, last = max(0, -offset), min(int(stream.size), int(view.size) - offset)
    differs = np.zeros(stream.size + 1, dtype=np.int64)
    if first < last:
        differs[first + 1 : last + 1] = view[first + offset : last + offset] != stream[first:last]
    counted = np.cumsum(differs)
    low = np.maximum(np.arange(stream.size) - AROUND, 0)
    high = np.minimum(np.arange(stream.size) + AROUND + 1, stream.size)
    agreeing: np.ndarray = counted[high] == counted[low]
    return agreeing


def align(view: np.ndarray, stream: np.ndarray) -> int | None:
    """Return k with view[i + k] == stream[i] where the array holds a long stretch of the stream, else None."""
    if view.size < WINDOW or view.size > 4 * stream.size + 4096:
        return None
    for start in (0, view.size // 2, view.size - WINDOW):
        probe = view[start : start + WINDOW].astype(np.int64)
        at = find(stream, probe)
        if at is not None:
            return start - at
    middle = stream[len(stream) // 2 : len(stream) // 2 + WINDOW]
    at = find(view.astype(np.int64), middle)
    return None if at is None else at - len(stream) // 2


def find(haystack: np.ndarray, needle: np.ndarray) -> int | None:
    """Return where `needle` stands in `haystack`, None where nowhere or more than once."""
    room = haystack.size - needle.size + 1
    if room <= 0:
        return None
    candidates = np.flatnonzero(haystack[:room] == needle[0])
    for j in range(1, needle.size):
        if candidates.size == 0:
            return None
        candidates = candidates[haystack[candidates + j] == needle[j]]
    return int(candidates[0]) if candidates.size == 1 else None


def integer_arrays(known: set[int]) -> Iterator[np.ndarray]:
    """Yield a flat writable view of every integer array or tensor reachable from containers and running frames.

    Of those that start in the same place, the longest.
    """
    pending: list[Any] = gc.get_objects()
    frame: Any = sys._getframe()
    while frame is not None:
        pending.extend(frame.f_locals.values())
        frame = frame.f_back
    longest: dict[int, np.ndarray] = {}
    for item in pending:
        for value in [item, *referents(item)]:
            view = as_view(value, known)
            if view is None:
                continue
            pointer = view.__array_interface__["data"][0]
            if pointer not in longest or view.nbytes > longest[pointer].nbytes:
                longest[pointer] = view
    yield from longest.values()


def referents(item: Any) -> list[Any]:
    """Return the arrays that a container, a cell or an object with attributes holds.

    Looks at types only: objects of the script may answer with code of theirs when they are asked for anything.
    """
    kind = type(item)
    if kind in (dict, list, tuple, set) or kind.__name__ == "cell" or kind.__dictoffset__:
        return [r for r in gc.get_referents(item) if issubclass(type(r), ARRAYS)]
    return []


def as_view(value: Any, known: set[int]) -> np.ndarray | None:
    if id(value) in known or not issubclass(type(value), ARRAYS):
        return None
    known.add(id(value))
    if isinstance(value, torch.Tensor):
        if type(value) is not torch.Tensor or value.dtype not in KINDS or value.numel() < WINDOW:
            return None
        if value.device.type != "cpu" or not value.is_contiguous():
            return None
        value = value.detach().numpy()
    while isinstance(value.base, np.ndarray) and value.base.size >= value.size and value.base.dtype == value.dtype:
        value = value.base
    if value.dtype.kind not in "iu" or not value.flags.c_contiguous or not value.flags.writeable:
        return None
    flat: np.ndarray = value.reshape(-1)
    return flat
