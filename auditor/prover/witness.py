"""The fact that a conviction rests on. No arrays: findings and reports carry it without numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Witness:
    """A small, replayable fact."""

    kind: str
    """Which fact: a first score shared, also by neighbours, an earlier one, each other's, the suffix, or a sum."""
    position: int
    was: int
    now: int
    element: int
    before: float
    after: float
    message: str
