"""Sets of token positions as sorted, disjoint half-open intervals. Exact; holds no opinion about what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

_DENSE = 64
"""Positions per element up to which flags are cheaper than sorting."""


@dataclass(frozen=True, slots=True)
class Region:
    """A set of validation-token positions; `spans` are sorted, disjoint, half-open (start, stop) pairs."""

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, positions: np.ndarray) -> Region:
        """Build a region from an integer array of any shape; negative entries mean "no token" and are dropped."""
        flat = positions.reshape(-1)
        if flat.size == 0:
            return EMPTY
        first, last = int(flat[0]), int(flat[-1])
        if first >= 0 and last - first + 1 == flat.size and (flat.size < 2 or bool((flat[1:] - flat[:-1] == 1).all())):
            return cls(((first, last + 1),))
        low, high = int(flat.min()), int(flat.max())
        if low < 0:
            flat = flat[flat >= 0]
            if flat.size == 0:
                return EMPTY
            low = int(flat.min())
        if high - low < _DENSE * flat.size:
            # One flag per position between the smallest and the largest: no sorting.
            present = np.zeros(high - low + 3, dtype=np.bool_)
            present[flat - (low - 1)] = True
            edges = np.flatnonzero(present[1:] != present[:-1]) + low
            starts, stops = edges[0::2], edges[1::2]
        else:
            kept = np.unique(flat)
            cuts = np.flatnonzero(kept[1:] - kept[:-1] > 1)
            starts = kept[np.concatenate(([0], cuts + 1))]
            stops = kept[np.concatenate((cuts, [kept.size - 1]))] + 1
        return cls(tuple(zip(starts.tolist(), stops.tolist(), strict=True)))

    @classmethod
    def union(cls, regions: Iterable[Region]) -> Region:
        """Merge any number of regions."""
        held = [region for region in regions if region.spans]
        if len(held) < 2:
            return held[0] if held else EMPTY
        spans = sorted([span for region in held for span in region.spans])
        merged: list[list[int]] = []
        for start, stop in spans:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], stop)
            else:
                merged.append([start, stop])
        return cls(tuple((a, b) for a, b in merged))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __and__(self, other: Region) -> Region:
        mine, theirs = self.spans, other.spans
        found, i, j = [], 0, 0
        while i < len(mine) and j < len(theirs):
            start, stop = max(mine[i][0], theirs[j][0]), min(mine[i][1], theirs[j][1])
            if start < stop:
                found.append((start, stop))
            if mine[i][1] < theirs[j][1]:
                i += 1
            else:
                j += 1
        return Region(tuple(found))

    @property
    def count(self) -> int:
        """Number of positions."""
        return sum(stop - start for start, stop in self.spans)

    @property
    def last(self) -> int:
        """The largest position, -1 where there is none."""
        return self.spans[-1][1] - 1 if self.spans else -1

    def holds(self, position: int) -> bool:
        """Say whether a position is in the set."""
        return any(start <= position < stop for start, stop in self.spans)

    def __str__(self) -> str:
        shown = ", ".join(f"{a}..{b - 1}" for a, b in self.spans[:3])
        return shown + (", ..." if len(self.spans) > 3 else "")


EMPTY = Region()
