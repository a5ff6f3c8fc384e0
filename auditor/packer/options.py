"""What a caller may ask of the packer and what it answers: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(str, Enum):
    """How hard to try: `fast` one codec, `best` every codec of the standard library, `max` the context-mixing coder
    too."""

    FAST = "fast"
    BEST = "best"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class PackOptions:
    """One packing job."""

    target: tuple[int, int] = (3, 10)
    level: Level = Level.BEST
    minify: bool = True
    skip: frozenset[str] = frozenset()
    """Transforms to switch off (see `passes.TRANSFORMS`)."""
    keep: frozenset[str] = frozenset()
    """Names that must not be renamed."""
    ascii: bool = False
    """Only 7-bit characters, so that the file reads as UTF-8."""
    traced: bool | None = None
    """Register the source with linecache: None where the script is seen to need it."""
    codecs: frozenset[str] = frozenset()
    """Codecs beyond the standard library: "brotli", "zstd"."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a packed file and its bytes: the report names every byte."""

    name: str
    size: int
