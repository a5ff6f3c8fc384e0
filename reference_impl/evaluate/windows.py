"""Which windows score which targets: pure integer arithmetic, each target exactly once.

Target i is token i+1; a window (start, end, first) reads tokens start..end-1 and scores targets first..end-1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Inputs tokens[start:end], scores targets first..end-1 (the earlier ones are context)."""

    start: int
    end: int
    first: int


def plan_windows(targets: int, sequence: int, stride: int) -> list[Window]:
    """Windows at 0, S, 2S, ... while w == 0 or w + T - S < n; window 0 scores all of itself, later ones the last S.

    `stride` = `sequence` gives the non-overlapping plan. The condition keeps the tail from being scored many times, and
    `w == 0` keeps splits shorter than one window from being skipped (spec 6.2).
    """
    windows = []
    for start in range(0, max(targets - (sequence - stride), 1), stride):
        end = min(start + sequence, targets)
        windows.append(Window(start, end, start if start == 0 else start + sequence - stride))
    return windows


def plan_chunks(windows: list[Window], targets: int, chunk: int) -> list[list[Window]]:
    """Windows per chunk of `chunk` targets: a window belongs where its first scored target lies; none straddles."""
    chunks: list[list[Window]] = [[] for _ in range(-(-targets // chunk))]
    for window in windows:
        chunks[window.first // chunk].append(window)
    return chunks


def share(items: int, rank: int, world: int) -> tuple[int, int]:
    """This rank's contiguous share [first, last) of `items`: floor(n r / N) .. floor(n (r+1) / N)."""
    return items * rank // world, items * (rank + 1) // world


def documents(bos_positions: list[int], targets: int) -> list[tuple[int, int]]:
    """Target spans (start, end) of documents; the last target of each is the next document's BOS, so totals match."""
    starts = [position for position in bos_positions if position < targets]
    if not starts or starts[0] != 0:
        starts = [0, *starts]
    return [(start, end) for start, end in zip(starts, [*starts[1:], targets], strict=True) if end > start]
