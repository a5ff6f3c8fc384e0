"""What all examinations of one script share: the script, the limits, and the boxes in which it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from auditor.errors import PgolfError
from auditor.limits import ProverLimits
from auditor.prover.confine import Box, JobFailed
from auditor.prover.job import Miniature, Script, Variant, harness_files, job_files
from auditor.prover.native import Wanted, compiled
from auditor.prover.runlog import ResultError, RunLog, decode

Progress = Callable[[str], None]
BOXES = 2
"""Runs at a time, where cores are idle: each has a process with torch loaded, 0.4 GB."""
LEAST_SECONDS = 5.0
"""Time left below which no job is begun."""


class Undecided(PgolfError):
    """Nothing can be concluded, for a reason with a stable name."""

    def __init__(self, reason_class: str, message: str) -> None:
        self.reason_class = reason_class
        super().__init__(message)


class NeedsBuild(Undecided):
    """A run asked for libraries that have to be compiled before it can go on."""

    def __init__(self, builds: tuple[Wanted, ...]) -> None:
        self.builds = builds
        super().__init__("native-helper", "the script compiles more libraries than are built for one proof")


@dataclass(slots=True)
class Session:
    """One proof under way. Use it as a context, so that nothing it started stays behind."""

    script: Script
    limits: ProverLimits
    conditions: frozenset[str]
    headline: str | None
    """Name of the claimed number's log line, where the logs have one."""
    progress: Progress
    deadline: float
    keep: Callable[[str, dict[str, bytes]], None] | None = None
    others: frozenset[str] = frozenset()
    """Names of lines that are known to carry other numbers than the claimed one, where no line is known to carry it."""
    left_out: tuple[str, ...] = ()
    """Settings deduced from logs under which the script crashed."""
    confinement: str = ""
    cpu_seconds: float = 0.0
    """Of the boxes that have ended."""
    boxes: list[Box | None] = field(default_factory=lambda: [None] * idle_cores())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *reason: object) -> None:
        for number in range(len(self.boxes)):
            self.drop(number, at_once=reason[0] is not None)

    def drop(self, number: int, at_once: bool = False) -> None:
        """End a box and count what it used."""
        box, self.boxes[number] = self.boxes[number], None
        if box is not None:
            box.close(at_once)
            self.cpu_seconds += box.cpu_seconds
            self.confinement = box.confinement or self.confinement

    def abandon(self) -> None:
        """Make jobs under way end now."""
        for box in self.boxes:
            if box is not None:
                box.abandon()

    def build(self, builds: Sequence[Wanted]) -> bool:
        """Have libraries compiled for the next runs; False where none is new, or there are more than that."""
        had = self.script.libraries
        new = [one for one in builds if not {f"{one.key}.so", f"{one.key}.txt"} & had.keys()]
        if not new or len(had) + len(new) > self.limits.compiling.builds:
            return False
        self.progress(f"compiling {', '.join(name for one in new for name in one.build.inputs)[:200]}")
        self.script = replace(self.script, libraries={**had, **compiled(new, self.limits.compiling)})
        return True

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def run(
        self, what: str, mini: Miniature, variants: Sequence[Variant], only: Sequence[int] | None = None
    ) -> dict[str, RunLog]:
        """Run `variants`, shared out among the boxes, and decode what they logged by "variant/branch".

        Models in their own width take gigabytes each: they get one box.
        Raises Undecided when time is up, JobFailed where no run came back.
        """
        wall = min(self.left(), 3.0 * self.limits.run_seconds)
        if wall < LEAST_SECONDS:
            raise Undecided("budget", "the time budget was used up")
        self.progress(f"{what}: {mini.targets} tokens, seed {mini.seed}")
        count = len(self.boxes)
        if mini.shape.width is None:
            count = 1
            for number in range(1, len(self.boxes)):
                self.drop(number)
        shares = [share for number in range(count) if (share := variants[number::count])]

        def work(number: int) -> dict[str, bytes]:
            return self.job(number, what, mini, shares[number], wall, only)

        logs: dict[str, RunLog] = {}
        problem: JobFailed | None = None
        with ThreadPoolExecutor(len(shares)) as pool:
            for future in [pool.submit(work, number) for number in range(len(shares))]:
                try:
                    logs |= decoded(future.result(), 2 * self.limits.result_bytes)
                except JobFailed as failure:
                    problem = failure
                except BaseException:
                    self.abandon()
                    raise
        if problem is not None and not logs:
            raise problem
        if problem is not None:
            self.progress(f"one of {len(shares)} boxes: {problem}")
        return logs

    def job(
        self, number: int, what: str, mini: Miniature, variants: Sequence[Variant], wall: float,
        only: Sequence[int] | None,
    ) -> dict[str, bytes]:  # fmt: skip
        """Run `variants` in one box, started where it is not there."""
        limits = self.limits
        seconds = 0.9 * wall if any(v.branches for v in variants) else min(limits.run_seconds, 0.9 * wall)
        files, nonce = job_files(self.script, mini, variants, seconds, limits.result_bytes, only)
        if self.keep is not None:
            self.keep(f"{what}-{number}-{mini.targets}-{mini.seed}".replace(" ", "-"), files)
        box = self.boxes[number]
        if box is None or not box.usable:
            self.drop(number)
            box = self.boxes[number] = Box(harness_files(), self.left() + 1.0, limits)
        return box.job(files, nonce, wall)


def idle_cores() -> int:
    """Return how many boxes to use: a second one, which has to load torch too, gains nothing on a busy machine."""
    return max(1, min(BOXES, round((os.cpu_count() or 1) - os.getloadavg()[0])))


def decoded(results: dict[str, bytes], limit: int) -> dict[str, RunLog]:
    """Decode what runs returned; what cannot be read is left out."""
    logs: dict[str, RunLog] = {}
    for name, body in results.items():
        try:
            logs[name] = decode(body, limit)
        except ResultError:
            continue
    return logs
