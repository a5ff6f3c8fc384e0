"""Sample the memory of all processes that this one started, with pages that they share counted once."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EVERY = 1.0
"""Seconds between samples: reading what a torch process maps takes tens of milliseconds."""


@dataclass(slots=True)
class Peak:
    """The most that was seen."""

    mib: float = 0.0


def children_of(process: int) -> Iterator[int]:
    """Yield every process below `process`, those of other namespaces included."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            for child in Path(f"/proc/{process}/task/{thread}/children").read_text().split():
                yield int(child)
                yield from children_of(int(child))


def proportional(process: int) -> int:
    """Return the KiB of a process, shared pages by their share; 0 once it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


@contextlib.contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure while the block runs: what this process and all below it hold together."""
    peak, over = Peak(), threading.Event()

    def sample() -> None:
        while not over.wait(EVERY):
            held = sum(map(proportional, {os.getpid(), *children_of(os.getpid())}))
            peak.mib = max(peak.mib, held / 1024)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
