"""How often positions are scored, and what the printed bits per byte were divided by."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

pytest.importorskip("numpy")

import numpy as np

from auditor.prover.counting import coverage, implied_bytes
from auditor.prover.locate import BYTEWISE, MetricLine, Site
from auditor.prover.runlog import PrintedLine

TARGETS, REAL = 2048, 3000


def site(scored: int, per_token: float = REAL / TARGETS) -> Site:
    """Return a site of `scored` scores whose printed numbers imply `per_token` bytes each."""
    loss = 3.0
    metric = MetricLine(PrintedLine("x", (), 0, True), loss, loss / math.log(2.0) / per_token)
    values = np.ones(scored)
    return Site(metric, 0, "f", "t", 1, 0, scored, values, np.arange(scored), values, 0, 1.0, "val_loss")


@pytest.mark.parametrize("scored", [TARGETS - 1, TARGETS, TARGETS + 48])
def test_another_denominator_is_seen(scored: int) -> None:
    """Bytes counted twice show, with the last windows' tail scored again as well; the right count agrees."""
    assert not implied_bytes(site(scored), TARGETS, REAL).differ
    assert implied_bytes(site(scored, 1.05 * REAL / TARGETS), TARGETS, REAL).differ


def test_bytes_of_part_of_the_text_say_nothing() -> None:
    """Where a quarter of the targets is left out, those scored may have other lengths than all."""
    part = implied_bytes(site(1534, 0.95 * REAL / TARGETS), TARGETS, REAL)
    assert part.ratio is None and not part.differ


def test_bytes_of_a_part_scored_again_say_nothing() -> None:
    """What windows of documents score twice weighs twice; a whole second pass weighs all alike."""
    assert implied_bytes(site(TARGETS + 842, 0.95 * REAL / TARGETS), TARGETS, REAL).ratio is None
    assert implied_bytes(site(2 * TARGETS, 0.95 * REAL / TARGETS), TARGETS, REAL).differ


@pytest.mark.parametrize(
    ("scored", "word"), [(TARGETS, ""), (TARGETS + 48, "tail"), (2 * TARGETS, "more"), (1534, "514 of")]
)
def test_scores_are_held_against_positions(scored: int, word: str) -> None:
    """None more, a re-scored tail, another pass, positions without a score."""
    note = coverage(site(scored), TARGETS, 64).note
    assert word in note and bool(word) == bool(note)


def test_scores_of_bytes_are_not_held_against_positions() -> None:
    """More bytes than tokens are no second pass."""
    found = coverage(replace(site(REAL), by=BYTEWISE), TARGETS, 64)
    assert found.scores == TARGETS and "bytes" in found.note
