"""Implied validation bytes: val_loss / ln 2 * tokens / val_bpb. A number from a log alone, through any packing of code.

For the full validation set it is the same for every canonical tokenizer, because bits per byte cancel the tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from auditor.model.logs import Metric

FULL_SET_TOKENS: dict[int, str] = {
    62_021_632: "SP1024",
    45_508_608: "SP4096",
    45_514_752: "SP4096",
    40_540_160: "SP8192",
    40_546_304: "SP8192",
    47_851_520: "CaseOps SP8192",
    47_853_343: "CaseOps SP8192",
}
"""Token counts that full validation sets print (counted over the contest's logs), by tokenizer."""

PARTIAL_SET_TOKENS: dict[int, str] = {9_662_464: "the first 10,000 documents of a CaseOps set"}


@dataclass(frozen=True, slots=True)
class Implied:
    """Implied bytes of one metric."""

    metric: Metric
    tokens: int
    bytes: float
    ratio: float
    """Of the full set's bytes."""

    @property
    def tokenizer(self) -> str | None:
        """Return the tokenizer whose full validation set has this many tokens, None where none of the known has."""
        return FULL_SET_TOKENS.get(self.tokens)

    @property
    def subset(self) -> str | None:
        """Return which known part of the set has this many tokens."""
        return PARTIAL_SET_TOKENS.get(self.tokens)


def implied_bytes(val_loss: float | None, bpb: float | None, tokens: float | None) -> float | None:
    """Return the bytes that a loss (nats per token), a bpb and a token count imply; None where one is unknown."""
    if not val_loss or not bpb or not tokens:
        return None
    return val_loss / math.log(2.0) * tokens / bpb


def implied(metric: Metric, tokens: int | None, canonical: float) -> Implied | None:
    """Measure one metric against the full set's bytes."""
    found = implied_bytes(metric.val_loss, metric.bpb, tokens)
    return None if found is None or tokens is None else Implied(metric, tokens, found, found / canonical)
