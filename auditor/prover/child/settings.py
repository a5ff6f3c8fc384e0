"""Shrink settings: downwards only, and never to or from zero, off or empty, so that no feature changes its state.

The table is data made by the parent; this module only applies it and keeps what it did for the report.
"""

from __future__ import annotations

import re
from typing import Any

TEXT = 2048
"""Tokens of the small text: a loop that steps further takes one step."""
STEP = 256
"""What such a step becomes, as the table has it for chunks of tokens: eight blocks in the small text."""
LEAST_TABLE, LARGEST_TABLE = 4096, 1 << 26
"""Sizes of tables that the real text of about 2^26 tokens fills; larger ones keep hashes apart there too."""
LEAST_WEIGHTS = 4096
"""Numbers from here on that weights are counted against: the smallest in real scripts was 8,192."""
OTHER_TOKENIZERS = (".json", ".pkl", ".pickle", ".npz", ".npy", ".pt")
"""Files that hold a tokenizer of the author's own kind: the miniature's would be read as something that it is not."""
VOCABULARY = "VOCAB_SIZE"
SHRINK = 15
"""Binary digits by which the small text is shorter than the real one, about: a table shrunk by them is as full."""


class Settings:
    """Lower numbers by the name under which the script reads or defines them."""

    def __init__(self, table: list[tuple[str, float]], exact: dict[str, str], shrunk: int = 1, width: str = "") -> None:
        self.table = [(re.compile(pattern), cap) for pattern, cap in table]
        self.exact = exact
        """Settings that the miniature data dictates (vocabulary size, paths)."""
        self.shrunk = shrunk
        """By how much matrices have fewer weights than in the real run, about, once a width is lowered."""
        self.width = re.compile(width)
        self.pieces = 0
        """Vocabulary of the real run, once the script has asked for it."""
        self.lowered: dict[str, tuple[str, str]] = {}

    def cap(self, name: str) -> float | None:
        return next((cap for pattern, cap in self.table if pattern.fullmatch(name)), None)

    def down(self, name: str, value: Any) -> Any:
        """Return `value`, lowered to the cap of `name` where it is a larger number; its type is kept."""
        exact = self.exact.get(name, "")
        if exact.isdigit() and int(exact) > 0 and isinstance(value, int) and not isinstance(value, bool):
            self.note_pieces(name, value)
            return int(exact) if value > 1 else value
        cap = self.cap(name)
        number = as_number(value)
        if cap is None or number is None or number <= cap or cap < 1 <= number:
            return value
        self.lowered[name] = (str(value), str(cap))
        return type(value)(cap)

    def step(self, name: str, value: Any) -> Any:
        """Return `value`, by which a loop steps, lowered where it is as long as the whole text or longer."""
        if type(value) is not int or value < TEXT:
            return value
        self.lowered[name] = (str(value), str(STEP))
        return STEP

    def hashes(self, name: str, value: Any) -> Any:
        """Return `value`, the size of a table of hashes, lowered so that it is no fuller than in the real run.

        One that may hold every pair of tokens of the real vocabulary holds every pair of the small one.
        """
        if type(value) is not int or not LEAST_TABLE <= value <= LARGEST_TABLE:
            return value
        folded = 0 < value < self.pieces**2
        pairs = 0 if folded else int(self.exact.get(VOCABULARY, 0)) ** 2
        size = min(max(value >> SHRINK, STEP, pairs), value)
        self.lowered[name] = (str(value), str(size))
        return size

    def count(self, name: str, weights: Any, limit: Any) -> Any:
        """Return how many `weights` a matrix would have in the real run, where a script tells large ones by `limit`.

        Scripts keep tensors of at most 65,536 weights as they are. In a miniature all are: nothing would be quantised.
        """
        number = weights.numel()
        if self.shrunk == 1 or type(limit) is not int or limit < LEAST_WEIGHTS or not is_matrix(weights):
            return number
        if not any(map(self.width.fullmatch, self.lowered)):
            return number
        self.lowered[name] = (str(limit), str(limit // self.shrunk))
        return number * self.shrunk

    def environment(self, name: str, value: Any) -> Any:
        """Return what the script gets for environment variable `name` whose value or default is `value`."""
        if name in self.exact and not str(value).endswith(OTHER_TOKENIZERS):
            self.note_pieces(name, value)
            out: Any = self.exact[name]
            out = int(out) if isinstance(value, int) and out.isdigit() else out
        else:
            out = self.down(name, value)
        return out

    def note_pieces(self, name: str, value: Any) -> None:
        """Remember how many pieces the script's own vocabulary has."""
        if name == VOCABULARY:
            self.pieces = max(self.pieces, int(as_number(value) or 0))


def is_matrix(weights: Any) -> bool:
    """Say whether a tensor has rows and holds fractions: vectors shrink less, and tokens not at all."""
    return getattr(weights, "ndim", 0) > 1 and bool(getattr(weights, "is_floating_point", bool)())


def as_number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value.strip().replace("_", ""))
        except ValueError:
            return None
    return None
