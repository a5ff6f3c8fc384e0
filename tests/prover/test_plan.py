"""Where the vocabulary sums fork: before the batch that holds the score, and no earlier than needed."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numpy")

from auditor.prover import data, sums
from auditor.prover.causality import Probe
from auditor.prover.examination import Examination
from auditor.prover.job import Shape, miniature
from auditor.prover.locate import MetricLine, Site
from auditor.prover.normalise import Sum
from auditor.prover.plan import (
    batch_start,
    further_changes,
    late_changes,
    seen_before,
    single_changes,
    sum_positions,
    twin_changes,
)
from auditor.prover.runlog import PrintedLine, RunLog, Trace
from auditor.prover.sums import early_enough, sum_tests
from auditor.prover.witness import Witness

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


def test_wide_forks_come_before_the_widest_gap() -> None:
    """Where counts are updated after every window, gaps between windows are wide too, and those of batches wider."""
    times = [10, *(10 + np.cumsum([6, 6, 500, 6, 6, 200, 6, 6, 200, 6, 6])).tolist()]
    assert batch_start(site(times), 10) == times[8] and batch_start(site(times), 10, wide=True) == times[2]


@pytest.mark.parametrize("excess", [None, Witness("sum", 3, -1, -1, 2, 1.0, 1.5, "")])
def test_positions_whose_forks_came_too_late_are_summed_again(
    monkeypatch: pytest.MonkeyPatch, excess: Witness | None
) -> None:
    """Only those, from an earlier moment; none where a sum already convicts."""
    asked: list[tuple[dict[int, int], bool]] = []
    monkeypatch.setattr(sums, "sums_by_forks", lambda session, found, own, wide: asked.append((own, wide)))
    found = SimpleNamespace(sums=[Sum(3, (), 2, 1.0, 32, True)], excess=excess)
    sums.sums_left(SimpleNamespace(left=lambda: 100.0), found, {3: 2, 9: 8})  # type: ignore[arg-type]
    assert asked == ([] if excess else [({9: 8}, True)])


@pytest.mark.parametrize(
    ("totals", "asked"),
    [([1.0], [40]), ([0.98, 1.02], [40, 30]), ([0.98, 0.97, 0.99], [40, 30, 20]), ([None], [40])],
)
def test_a_sum_below_one_is_followed_by_others(
    monkeypatch: pytest.MonkeyPatch, totals: list[float | None], asked: list[int]
) -> None:
    """In an order of its own one sum to 1 is enough; what falls short of 1 may exceed it at another token."""
    seen: list[int] = []

    def by_forks(session: object, found: SimpleNamespace, own: dict[int, int]) -> None:
        ((position, element),) = own.items()
        total = totals[len(seen)]
        seen.append(position)
        found.sums.append(Sum(position, (), element, total, 32, total is not None, total == 1.0))
        found.excess = Witness("sum", 0, -1, -1, 0, 1.0, 2.0, "") if total and total > 1 else None

    monkeypatch.setattr(sums, "sums_by_forks", by_forks)
    order = SimpleNamespace(first=((20, 19), (30, 29), (40, 39)))
    found = SimpleNamespace(order=order, sums=[], excess=None)
    sums.own_order_sums(SimpleNamespace(left=lambda: 100.0), found)  # type: ignore[arg-type]
    assert seen == asked and len(found.sums) == len(asked)


@pytest.mark.parametrize(("times", "entry"), [([10], 0), ([10, 19, 28, 178, 187], 2)])
def test_the_first_batch_forks_before_the_evaluation(times: list[int], entry: int) -> None:
    """Where no batch lies before the score's own there is only the start."""
    assert batch_start(site(times), entry) == 5


def test_sums_are_taken_where_single_tokens_are_tested() -> None:
    """Every summed position has a single-token test to be checked against; most stand behind a known context."""
    mini = miniature(Shape("small"), 2048, 1)
    singles, summed = single_changes(mini), sum_positions(mini)
    assert set(summed) <= set(singles) and mini.stream.size - 1 in summed
    assert len(singles) == 7 and len(late_changes(mini)) == 4
    assert all(p + 1 in singles for p in summed if p != mini.stream.size - 1)
    assert len(set(summed) & seen_before(mini.stream)) >= 3
    assert not any(mini.stream[p] == data.BOS for p in singles)
    assert len(further_changes(mini)) == 4 and not further_changes(mini).keys() & singles.keys()


def log_of(values: np.ndarray) -> RunLog:
    """Return a branch that logged `values` under key 0, one an entry."""
    count = np.ones(values.size, dtype=np.int64)
    trace = Trace(0, "f", "t", 1, 0, values, count, np.cumsum(count), np.zeros((values.size, 4)))
    return RunLog(None, (), {0: trace}, {}, (), 0, False, {})


@pytest.mark.parametrize("late", [False, True])
def test_a_fork_that_came_too_late_convicts_nobody(late: bool) -> None:
    """Sums whose fork disagrees with the single-token test of the same change are not believed, whatever they give."""
    mini = miniature(Shape("small"), 2048, 1)
    position = sum_positions(mini)[-1]
    base = np.full(8, 1.0)
    now = single_changes(mini)[position]
    tested = base.copy()
    tested[5] = 0.25 if late else 0.5
    found = Examination(
        mini, log_of(base), Site(METRIC, 0, "f", "t", 1, 0, 8, base, np.arange(8), base, 0, 1.0, ""), None
    )
    found.probes = [Probe(position, int(mini.stream[position]), now, 5, 1, True, tested)]
    assert early_enough(found, position, 5, {now: np.array([1, 1, 1, 1, 1, 0.5])}) is not late
    runs = {f"again/sum-{position}-{token}": log_of(np.array([1, 1, 1, 1, 1, 0.5])) for token in range(32)}
    sum_tests(found, runs, {position: 5})
    assert bool(found.excess) is not late and len(found.sums) == (not late)


@pytest.mark.parametrize("seed", [1, 2])
def test_twins_are_alike_with_what_is_before_them(seed: int) -> None:
    """Far apart, so that no window holds both; where no stretch occurs twice there are none."""
    mini = miniature(Shape("small"), 2_048, seed)
    (one, other), stream = sorted(twin_changes(mini)), mini.stream
    assert stream[one - 3 : one + 1].tolist() == stream[other - 3 : other + 1].tolist()
    assert other - one > 1_024 and all(now != stream[p] for p, now in twin_changes(mini).items())
    assert twin_changes(dataclasses.replace(mini, stream=np.arange(2_049))) == {}
