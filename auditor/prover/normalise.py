"""Sum the probabilities that a script gives every token at one position. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.prover.witness import Witness

TOLERANCE = 1e-3
"""Excess over 1 that convicts: float32 softmaxes of 32 terms summed to 1.000000 in every legal script measured."""

OWN_SPREAD = 0.05
"""Nats between the likeliest and the unlikeliest token at a position; what a token does to other scores in six tiny
steps of training was about a thousandth in the runs looked at."""
LEAST_TOTAL = 0.5
"""Sum below which what varies is hardly a score of the position."""
CONTROLS = 4
"""Control tokens: as a target they may change what is scored, so that their runs may be unusable."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum over the vocabulary at one position."""

    position: int
    owners: tuple[int, ...]
    """Elements whose own sum is 1: they score this position, or hardly follow it and come near 1 by chance."""
    first: int | None
    """First element that varies with the token."""
    total: float | None
    """Sum at `first`; None where a run is missing."""
    tokens: int
    """Token ids tried; the sum over some of them can only be too small."""
    complete: bool
    consistent: bool = False
    """True where the sum is 1, or, with control tokens missing, not above 1."""
    spread: float = 0.0
    """Largest minus smallest score at `first`, in logged units."""
    sure: float | None = None
    """Sum at `first` without the token that opens documents, with which another score may stand there, and without
    control tokens that are not scored."""
    strong: tuple[int, ...] = ()
    """Those of `owners` that follow the token closely: they do score this position."""

    @property
    def anchored(self) -> bool:
        """True where `first` can be taken to score the position: its sum fits, and it follows the token closely."""
        return bool(self.owners) or (self.consistent and self.spread >= OWN_SPREAD)

    @property
    def foreign(self) -> bool:
        """True where `first` cannot score the position: it hardly follows it, or sums to nothing like 1."""
        likely = self.sure is not None and LEAST_TOTAL <= self.sure <= 1.0 + TOLERANCE
        return self.complete and not self.consistent and not (likely and self.spread >= OWN_SPREAD)


def holds(found: Sum, own: int | None) -> bool:
    """Say whether the sum shows a distribution: 1, or less where `own`, known to score the position, is what varies.

    Less than 1 is what a model keeps for tokens that no text has, such as a mask.
    """
    if found.consistent:
        return True
    below = found.total is not None and LEAST_TOTAL <= found.total <= 1.0 + TOLERANCE
    return below and found.complete and found.first == own and found.spread >= OWN_SPREAD


def total(
    position: int,
    base: np.ndarray,
    was: int,
    runs: Mapping[int, np.ndarray],
    unit: float,
    control: Sequence[bool],
    opening: int,
) -> Sum:
    """Sum exp(-nll) over token ids: `runs` maps each tried id to its elements, `base` are those of the real token.

    `control` [vocabulary] tells the control tokens, `opening` is the one that opens documents. As a target it may
    change what is scored in which order, so only the others say which score moves first, and its run is left out where
    it moves an earlier one.
    """
    vocab = len(control)
    usable = {t: v for t, v in runs.items() if v.size == base.size and np.isfinite(v).all()}
    usable[was] = base
    plain = np.stack([values for token, values in usable.items() if token != opening])
    varying = np.flatnonzero((plain != base).any(axis=0))
    if not varying.size or len(usable) < vocab // 2:
        return Sum(position, (), None, None, len(usable), False)
    before = int(varying[0])
    usable = {t: v for t, v in usable.items() if t != opening or np.array_equal(v[:before], base[:before])}
    tokens = np.array(sorted(usable))
    stack = np.stack([usable[t] for t in tokens])
    sign = 1.0 if float(base[base != 0].mean()) > 0 else -1.0
    with np.errstate(over="ignore"):
        given = np.exp(-sign * unit * stack[:, varying])
    sums = given.sum(axis=0)
    complete = len(usable) == vocab
    owned = (np.abs(sums - 1.0) <= TOLERANCE) & complete
    strong = owned & (np.ptp(stack[:, varying], axis=0) >= OWN_SPREAD)
    owners = tuple(int(i) for i in varying[owned])
    unscored = np.array([control[t] for t in tokens]) & (stack[:, before] == 0)
    first = float(sums[0])
    partial = not complete and len(usable) >= vocab - CONTROLS and LEAST_TOTAL <= first <= 1.0 + TOLERANCE
    return Sum(
        position,
        owners,
        before,
        first,
        len(usable),
        complete,
        bool(owners) or partial,
        float(np.ptp(stack[:, before])),
        float(given[(tokens != opening) & ~unscored, 0].sum()),
        tuple(int(i) for i in varying[strong]),
    )


def judge(found: Sum, own: int) -> Witness | None:
    """Return a witness where `own`, the element that scores the position, sums to more than one.

    What counts is the sum that is sure; tokens that were left out can only add to it.
    """
    if found.first is None or found.first != own or found.sure is None or found.sure <= 1.0 + TOLERANCE:
        return None
    message = (
        f"the probabilities of {found.tokens} tokens at position {found.position} sum to {found.sure:.6g} or more, "
        f"not to 1 (score {found.first})"
    )
    return Witness("sum", found.position, -1, -1, found.first, 1.0, found.sure, message)
