"""Check how often positions are scored and what the printed bits per byte were divided by. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.prover.locate import BYTEWISE, LN2, Site

BYTES_TOLERANCE = 0.01
"""Relative; re-scored tails and document starts move the count by less, the known miscounts by 4 % and more."""
TAIL = 1 / 16
"""Share of the targets that a re-scored tail may make up: two of 32 windows."""

TWICE = 1.5
"""Scores for each target from which on the text counts as scored again. Windows of documents overlap by less."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Scores against positions."""

    scores: int
    targets: int
    note: str
    """Empty where every target is scored once."""

    @property
    def twice(self) -> bool:
        """True where more than half of the targets may be scored a second time: no tail, and no overlap of windows."""
        return self.scores > TWICE * self.targets


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes that the printed numbers imply, against those of the text."""

    implied: float | None
    real: float
    ratio: float | None

    @property
    def differ(self) -> bool:
        return self.ratio is not None and abs(self.ratio - 1.0) > BYTES_TOLERANCE


def coverage(site: Site, targets: int, window: int) -> Coverage:
    """Compare the number of scores with the number of targets; `window` bounds what a re-scored tail may add."""
    extra = site.scored - targets
    if site.by == BYTEWISE:
        return Coverage(targets, targets, f"bytes are scored, {site.scored} of them: not held against positions")
    if extra == 0:
        note = ""
    elif 0 < extra <= 2 * window:
        note = f"{extra} scores more than targets: the last windows score the tail again"
    elif extra > 0:
        note = f"{extra} scores more than targets"
    else:
        note = f"{-extra} of {targets} targets are not scored"
    return Coverage(site.scored, targets, note)


def implied_bytes(site: Site, targets: int, real_bytes: int) -> Bytes:
    """Compare bytes per scored token as printed with those of the text. Needs both val_loss and val_bpb.

    Says nothing where targets are left out, or part of them is scored again: those may be longer or shorter than the
    rest.
    """
    metric = site.metric
    left_out = targets - site.scored > BYTES_TOLERANCE * targets
    again = site.scored > targets and site.scored % targets > TAIL * targets
    if not metric.loss or not metric.bpb or site.by != "val_loss" or left_out or again:
        return Bytes(None, float(real_bytes), None)
    per_token = metric.loss / (LN2 * metric.bpb)
    return Bytes(per_token * targets, float(real_bytes), per_token * targets / real_bytes)
