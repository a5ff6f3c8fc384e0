"""The fact that a conviction rests on. No arrays: findings and reports carry it without numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Witness:
    """A small, replayable fact."""

    kind: str
    """Which fact: a first score shared by tokens, stretches or neighbours, an earlier one, each other's, the suffix, a
    sum."""
    position: int
    was: int
    now: int
    element: int
    before: float
    after: float
    message: str
