"""Log lines for people and for the auditor: rank 0 writes them to the console and to the run's file, unbuffered.

The lines are the baseline script's, word for word where it has one, so that existing log readers work.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reference_impl.metric import Totals


class Log:
    """Prints and keeps lines; silent on ranks other than 0."""

    def __init__(self, path: Path, rank: int, append: bool) -> None:
        self.active, self.path = rank == 0, path
        self.bar = self.active and sys.stderr.isatty()
        if self.active:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not append:
                path.write_text("", encoding="utf-8")

    def line(self, text: str) -> None:
        """Write one line."""
        if not self.active:
            return
        if self.bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(text + "\n")

    def progress(self, done: int, total: int, what: str) -> None:
        """Redraw a bar on a terminal; nothing is written to the file."""
        if self.bar:
            filled = 30 * done // max(total, 1)
            print(f"\r{what} [{'#' * filled}{'.' * (30 - filled)}] {done}/{total}", end="", file=sys.stderr, flush=True)

    def metric(self, name: str, totals: Totals, seconds: float) -> None:
        """Write a metric twice: rounded with its time, and exact."""
        self.line(f"{name} val_loss:{totals.loss():.4f} val_bpb:{totals.bpb():.4f} eval_time:{1000 * seconds:.0f}ms")
        self.line(f"{name}_exact val_loss:{totals.loss():.8f} val_bpb:{totals.bpb():.8f}")
