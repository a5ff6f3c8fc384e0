"""Run-time checks of the four conditions (issue #1017) on toy models: they measure behaviour, not intentions.

`score` is any evaluation reduced to a function: tokens int64 (n+1,) -> nats per target (n,), run from the same start
each time. The comparisons are bit for bit: an influence of one part in 2^24 is an influence.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference_impl.errors import LegalityError

Score = Callable[[np.ndarray], np.ndarray]


def check_causal(score: Score, tokens_N: np.ndarray, vocab: int, positions: list[int]) -> None:
    """C1 and C3: changing token t changes no score of a target before t.

    Covers networks that peek, caches filled early, and weights that learn from a token before its score: training on
    the whole split first fails at once.
    """
    base_n = score(tokens_N)
    for position in positions:
        changed_N = tokens_N.copy()
        changed_N[position] = (changed_N[position] + 1 + position % (vocab - 1)) % vocab
        _same_prefix(base_n, score(changed_N), position - 1, f"token {position} changed")


def check_future_permutation(score: Score, tokens_N: np.ndarray, boundary: int, seed: int = 0) -> None:
    """C3: permuting all tokens from `boundary` on changes no score of a target before it."""
    changed_N = tokens_N.copy()
    changed_N[boundary:] = np.random.default_rng(seed).permutation(changed_N[boundary:])
    _same_prefix(score(tokens_N), score(changed_N), boundary - 1, f"tokens from {boundary} on permuted")


def check_normalised(distribution_NV: np.ndarray, tolerance: float = 1e-6) -> None:
    """C2: each row is a distribution: non-negative, and its brute-force sum over the vocabulary is one."""
    sums_N = distribution_NV.astype(np.float64).sum(axis=1)
    worst = float(np.abs(sums_N - 1).max())
    if worst > tolerance or float(distribution_NV.min()) < 0:
        raise LegalityError(f"C2: expected rows that sum to 1 within {tolerance}, found {sums_N.min()}..{sums_N.max()}")


def check_scores_define_distribution(score: Score, prefix_N: np.ndarray, vocab: int, tolerance: float = 1e-4) -> None:
    """C2 from outside: exp(-nats) of the last target, tried with every token of the vocabulary, sums to one."""
    total = sum(float(np.exp(-score(np.append(prefix_N, token))[-1])) for token in range(vocab))
    if abs(total - 1) > tolerance:
        raise LegalityError(f"C2: expected the scorer's probabilities to sum to 1, found {total:.6f}")


def check_single_pass(visits_n: np.ndarray) -> None:
    """C4: every target is scored exactly once."""
    if not bool((visits_n == 1).all()):
        raise LegalityError(f"C4: expected one visit per target, found {visits_n.min()}..{visits_n.max()}")


def _same_prefix(before_n: np.ndarray, after_n: np.ndarray, count: int, what: str) -> None:
    different = np.flatnonzero(before_n[:count] != after_n[:count])
    if different.size:
        raise LegalityError(f"C1/C3: {what}, and the score of target {different[0]} before it changed")
