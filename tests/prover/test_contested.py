"""What the whole vocabulary at two neighbours says of an order that single changed tokens left open."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("numpy")

from types import SimpleNamespace

from auditor.prover import contested
from auditor.prover.causality import Causality
from auditor.prover.contested import judge, pair_of
from auditor.prover.locate import BYTEWISE
from auditor.prover.normalise import Sum
from auditor.prover.witness import Witness


def at(position: int, first: int, *owners: int) -> Sum:
    """Return what a complete sum at `position` showed."""
    return Sum(position, owners, first, 1.0 if first in owners else 0.2, 32, True, bool(owners), 0.3, strong=owners)


def test_a_score_before_the_tokens_own_is_a_leak() -> None:
    """One token is enough: its own score is known by its sum, and an earlier one moved."""
    found = judge([at(1803, 1792, 1802)])
    assert isinstance(found, Witness) and found.kind == "earlier score" and found.element == 1792


def test_a_score_that_both_neighbours_move_first_and_neither_owns_is_a_leak() -> None:
    """Their own scores, which do not sum to 1 either, stand behind it."""
    found = judge([at(1803, 1792), at(1804, 1792)])
    assert isinstance(found, Witness) and found.kind == "shared by neighbours"


def test_a_token_that_is_not_scored_shares_its_neighbours_score() -> None:
    """The first of a window without a score of its own moves the next one's, which sums to 1: no leak."""
    assert judge([at(1792, 1792), at(1793, 1792, 1792)]) is None


def test_neighbours_that_move_their_own_scores_first_are_in_order() -> None:
    """Wherever in the text they are scored."""
    assert judge([at(1333, 500, 500), at(1334, 501, 501)]) is True
    assert judge([at(1333, 500, 500), at(1334, 700, 700)]) is None
    assert judge([at(1333, 500, 500)]) is None


@pytest.mark.parametrize(("total", "settled"), [(0.97, True), (0.2, None)])
def test_sums_without_a_control_token_show_an_order_and_no_leak(total: float, settled: bool | None) -> None:
    """A distribution without the token that opens documents sums to nearly 1; what lacks a token proves no leak."""
    near = [Sum(p, (), 500 + p - 1333, total, 31, False, total > 0.5, 0.3) for p in (1333, 1334)]
    assert judge(near) is settled
    assert judge([dataclasses.replace(s, first=500) for s in near]) is None


def test_a_pair_that_shares_its_first_score_is_looked_at() -> None:
    """Else the last one; tokens without a neighbour are no pair."""
    assert pair_of({1333: 1280, 1334: 1280, 1803: 1802, 1804: 1803}) == {1333: 1280, 1334: 1280}
    assert pair_of({1333: 1, 1334: 2, 1803: 3, 1804: 4}) == {1803: 3, 1804: 4}
    assert pair_of({1333: 1, 1803: 3}) is None


@pytest.mark.parametrize(("by", "asked"), [("val_loss", 1), (BYTEWISE, 0)])
def test_scores_of_bytes_are_not_summed(monkeypatch: pytest.MonkeyPatch, by: str, asked: int) -> None:
    """Their order stays open: what a token's bytes sum to says nothing."""
    open_order = Causality(None, "unknown", None)
    found = SimpleNamespace(leak=None, order=open_order, site=SimpleNamespace(by=by))
    asked_of: list[str] = []
    monkeypatch.setattr(contested.ex, "examine", lambda *a: found)
    for step in ("try_pairs", "try_twins", "settle"):
        monkeypatch.setattr(contested, step, lambda session, found, step=step: asked_of.append(step))
    contested.examine(None, None)  # type: ignore[arg-type]
    assert asked_of == ["try_pairs", "try_twins", "settle"] * asked
