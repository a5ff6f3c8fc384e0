"""When Python looks for cyclic garbage while submissions are audited.

An audit makes syntax trees and event graphs that live until it ends. Looking through all of them each time that the new
objects were looked through a hundred times, as Python does by default, took an eighth of the time and found next to
nothing. The new objects themselves are looked through as often as ever: few of them can hold large arrays.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OLD = 50
"""Looks through the younger objects between two looks through all: about once in twenty audits."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let collections of everything be rare inside, and as they were outside."""
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], max(_OLD, before[2]))
    try:
        yield
    finally:
        gc.set_threshold(*before)


def settle() -> None:
    """For a process that does nothing but audits: exempt what it has imported, and keep such collections rare."""
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], _OLD)
