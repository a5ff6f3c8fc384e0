"""Sums over the vocabulary: 1 for a distribution in any unit, and a witness where they exceed it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from auditor.prover import normalise

V = 32
TEXT = (False,) * V
"""A vocabulary without control tokens."""


def runs(extra: float, unit: float = 1.0) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return base and per-token elements: element 1 mixes a distribution with `extra` for any token."""
    p = np.random.default_rng(1).dirichlet(np.ones(V))
    table = {t: np.array([0.5, -math.log((1 - extra) * p[t] + extra) / unit]) for t in range(V)}
    return table.pop(3), table


@pytest.mark.parametrize("unit", [1.0, math.log(2.0)])
def test_a_distribution_sums_to_one(unit: float) -> None:
    """The element that varies is found, and its probabilities sum to 1 in nats and in bits."""
    base, table = runs(0.0, unit)
    found = normalise.total(9, base, 3, table, unit, TEXT, 1)
    assert found.owners == (1,) and found.first == 1
    assert found.total == pytest.approx(1.0, abs=1e-9)
    assert normalise.judge(found, 1) is None


def test_an_expert_that_pays_any_token_is_convicted() -> None:
    """Mass given to whatever occurs makes the sum exceed 1."""
    base, table = runs(0.3)
    witness = normalise.judge(normalise.total(9, base, 3, table, 1.0, TEXT, 1), 1)
    assert witness is not None
    opening = math.exp(-table[1][1])
    assert witness.after == pytest.approx(0.7 + 0.3 * V - opening, rel=1e-6)


def test_a_partial_sum_convicts_only_above_one() -> None:
    """With some tokens missing the sum is a lower bound: below 1 nothing is said."""
    base, table = runs(0.0)
    for token in (0, 1, 2):
        del table[token]
    found = normalise.total(9, base, 3, table, 1.0, TEXT, 1)
    assert not found.complete and found.owners == ()
    assert normalise.judge(found, 1) is None


def test_a_sum_at_another_element_says_nothing() -> None:
    """Where the first varying element is not the one known to score the position, there is no verdict on it."""
    base, table = runs(0.3)
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, TEXT, 1), 0) is None


def test_mass_kept_for_tokens_that_no_text_has_is_no_fault() -> None:
    """A sum below 1 holds at the score known as the position's own only, and not where it is far below or flat."""
    below = normalise.Sum(9, (), 8, 0.97, V, True, False, 0.3)
    assert normalise.holds(below, 8)
    assert not normalise.holds(below, None) and not normalise.holds(below, 7)
    assert not normalise.holds(replace(below, total=0.3), 8) and not normalise.holds(replace(below, spread=0.001), 8)
    assert not normalise.holds(replace(below, total=1.2), 8) and not normalise.holds(replace(below, complete=False), 8)
    assert normalise.holds(replace(below, total=1.0, consistent=True), None)


@pytest.mark.parametrize("opens", [True, False])
def test_a_token_that_opens_documents_and_reorders_them_is_left_out(opens: bool) -> None:
    """Its run then says neither what moves first nor how likely it was."""
    base, table = runs(0.0)
    if opens:
        table[1] = np.array([0.7, 0.2])
    found = normalise.total(9, base, 3, table, 1.0, TEXT, 1)
    assert found.first == 1 and found.complete is not opens
    assert found.consistent and found.total is not None and (found.total < 1.0) is opens
    assert found.owners == (() if opens else (1,))
    assert normalise.judge(found, 1) is None
    if opens:
        assert normalise.total(9, base, 3, table, 1.0, TEXT, 2).first == 0


def test_what_only_the_opening_of_a_document_adds_convicts_nobody() -> None:
    """With it as target nothing may be scored there: a loss of 0 is no certainty."""
    base, table = runs(0.0)
    table[1] = np.array([0.5, 0.0])
    found = normalise.total(9, base, 3, table, 1.0, TEXT, 1)
    assert found.total is not None and found.total > 1.5 and found.sure is not None and found.sure <= 1.0
    assert normalise.judge(found, 1) is None
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, TEXT, 2), 1) is not None


def test_a_control_token_that_is_not_scored_convicts_nobody() -> None:
    """A mask gives it a loss of exactly 0, which is no probability of 1; other losses of such tokens count."""
    base, table = runs(0.0)
    table[0] = np.array([0.5, 0.0])
    masked = tuple(t == 0 for t in range(V))
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, masked, 1), 1) is None
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, TEXT, 1), 1) is not None
    base, table = runs(0.05)
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, masked, 1), 1) is not None


def test_what_hardly_follows_the_token_is_no_sign_of_its_own_score() -> None:
    """In a nearly uniform network any later score sums to about 1; only one that follows the token is its own."""
    base, table = runs(0.0)
    drift = {t: np.array([v[0], v[1], math.log(V) + 1e-5 * t]) for t, v in {**table, 3: base}.items()}
    found = normalise.total(9, drift.pop(3), 3, drift, 1.0, TEXT, 1)
    assert found.owners == (1, 2) and found.strong == (1,)


@pytest.mark.parametrize(
    ("sure", "spread", "foreign"),
    [(0.2, 0.3, True), (0.97, 0.3, False), (0.97, 0.001, True), (1.9, 0.3, True), (None, 0.3, True)],
)
def test_what_cannot_score_a_position_is_told_by_spread_and_sum(
    sure: float | None, spread: float, foreign: bool
) -> None:
    """Mass kept for tokens that no text has does not make a score another position's."""
    found = normalise.Sum(9, (), 8, 0.97, V, True, False, spread, sure)
    assert found.foreign is foreign
    assert not replace(found, complete=False).foreign and not replace(found, consistent=True).foreign
