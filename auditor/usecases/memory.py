"""When Python looks for cyclic garbage while a submission is audited.

An audit makes syntax trees and event graphs that live until it ends. Looking through them after every 700 new objects,
as Python does by default, took a seventh of its time and found nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 200_000
"""New objects after which Python looks for garbage: five times in thirty audits; they hold some 40 MB."""
_MIDDLE = 2
"""Such looks after which it looks again at what outlived one: the syntax trees of a few submissions."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let garbage collections be rare inside, and as they were outside."""
    before = gc.get_threshold()
    if before[0]:
        gc.set_threshold(max(_YOUNG, before[0]), min(_MIDDLE, before[1]), before[2])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def settle() -> None:
    """For a process that does nothing but audits: exempt what it has imported, and keep collections rare for good."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, gc.get_threshold()[2])
