"""The contest's metric: bits per byte of the (normalised) validation text.

`val_loss` is nats per token; `val_bpb` is total nats / ln 2 / total bytes. Totals are summed in float64 and reduced
over ranks as sums: an average of averages is a different number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Totals:
    """Sums over scored targets."""

    nats: float = 0.0
    tokens: int = 0
    bytes: int = 0

    def plus(self, other: Totals) -> Totals:
        """Return the sums over both sets of targets."""
        return Totals(self.nats + other.nats, self.tokens + other.tokens, self.bytes + other.bytes)

    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    def bpb(self) -> float:
        """Bits per byte; the nats of document breaks are paid although they carry no byte."""
        return self.nats / math.log(2.0) / self.bytes
