"""Where the vocabulary sums fork: before the batch that holds the score, and no earlier than needed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numpy")

from auditor.prover.locate import MetricLine, Site
from auditor.prover.plan import batch_start
from auditor.prover.runlog import PrintedLine

METRIC = MetricLine(PrintedLine("x", (), 0, True), 1.0, 1.0)


def site(times: list[int]) -> Site:
    entries = len(times)
    return Site(
        METRIC, 0, "f", "t", 1, 0, entries, np.ones(entries), np.arange(entries), np.array(times), 5, 1.0, "val_loss"
    )


@pytest.mark.parametrize(
    ("gaps", "entry", "at"),
    [
        ([9, 9, 9, 150, 9, 9, 9, 150, 9, 9, 9], 6, 3),  # windows of one batch
        ([24] * 10, 7, 6),  # one window at a time, a small model
        ([9, 9, 150, 9, 9, 5000, 9, 9, 150, 9], 10, 8),  # training between chunks
    ],
)
def test_forks_come_before_the_batch_of_the_score(gaps: list[int], entry: int, at: int) -> None:
    """The fork is at the last entry of the batch before."""
    times = [10, *(10 + np.cumsum(gaps)).tolist()]
    assert batch_start(site(times), entry) == times[at]


@pytest.mark.parametrize(("times", "entry"), [([10], 0), ([10, 19, 28, 178, 187], 2)])
def test_the_first_batch_forks_before_the_evaluation(times: list[int], entry: int) -> None:
    """Where no batch lies before the score's own there is only the start."""
    assert batch_start(site(times), entry) == 5
