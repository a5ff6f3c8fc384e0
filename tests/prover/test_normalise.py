"""Sums over the vocabulary: 1 for a distribution in any unit, and a witness where they exceed it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from auditor.prover import normalise

V = 32


def runs(extra: float, unit: float = 1.0) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return base and per-token elements: element 1 mixes a distribution with `extra` for any token."""
    p = np.random.default_rng(1).dirichlet(np.ones(V))
    table = {t: np.array([0.5, -math.log((1 - extra) * p[t] + extra) / unit]) for t in range(V)}
    return table.pop(3), table


@pytest.mark.parametrize("unit", [1.0, math.log(2.0)])
def test_a_distribution_sums_to_one(unit: float) -> None:
    """The element that varies is found, and its probabilities sum to 1 in nats and in bits."""
    base, table = runs(0.0, unit)
    found = normalise.total(9, base, 3, table, unit, V, 1)
    assert found.owners == (1,) and found.first == 1
    assert found.total == pytest.approx(1.0, abs=1e-9)
    assert normalise.judge(found, 1) is None


def test_an_expert_that_pays_any_token_is_convicted() -> None:
    """Mass given to whatever occurs makes the sum exceed 1."""
    base, table = runs(0.3)
    witness = normalise.judge(normalise.total(9, base, 3, table, 1.0, V, 1), 1)
    assert witness is not None
    assert witness.after == pytest.approx(0.7 + 0.3 * V, rel=1e-6)


def test_a_partial_sum_convicts_only_above_one() -> None:
    """With some tokens missing the sum is a lower bound: below 1 nothing is said."""
    base, table = runs(0.0)
    for token in (0, 1, 2):
        del table[token]
    found = normalise.total(9, base, 3, table, 1.0, V, 1)
    assert not found.complete and found.owners == ()
    assert normalise.judge(found, 1) is None


def test_a_sum_at_another_element_says_nothing() -> None:
    """Where the first varying element is not the one known to score the position, there is no verdict on it."""
    base, table = runs(0.3)
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, V, 1), 0) is None


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
    found = normalise.total(9, base, 3, table, 1.0, V, 1)
    assert found.first == 1 and found.complete is not opens
    assert found.consistent and found.total is not None and (found.total < 1.0) is opens
    assert found.owners == (() if opens else (1,))
    assert normalise.judge(found, 1) is None
    if opens:
        assert normalise.total(9, base, 3, table, 1.0, V, 2).first == 0


def test_what_only_the_opening_of_a_document_adds_convicts_nobody() -> None:
    """With it as target nothing may be scored there: a loss of 0 is no certainty."""
    base, table = runs(0.0)
    table[1] = np.array([0.5, 0.0])
    found = normalise.total(9, base, 3, table, 1.0, V, 1)
    assert found.total is not None and found.total > 1.5 and found.sure is not None and found.sure <= 1.0
    assert normalise.judge(found, 1) is None
    assert normalise.judge(normalise.total(9, base, 3, table, 1.0, V, 2), 1) is not None
