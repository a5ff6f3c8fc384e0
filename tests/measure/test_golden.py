"""The golden rows: synthetic logs of every grammar are read to the values that the real logs state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.intake.logs import read_log
from auditor.limits import LogLimits
from auditor.measure.headline import resolve_headline
from auditor.measure.rows import row_of
from auditor.measure.timing import train_time
from auditor.model.evidence import Claim, SeedRow
from auditor.model.logs import LogFile
from tests.measure.golden import ROWS, Golden, synthetic

IDS = [f"{row.pull_request}" for row in ROWS]


def _row(log: LogFile, golden: Golden) -> SeedRow:
    claim = Claim(golden.bpb, "submission.json")
    return row_of(log, resolve_headline(claim, (log,)), None)


def _check(log: LogFile, golden: Golden) -> None:
    row = _row(log, golden)
    assert (row.seed if row.seed is not None else row.seed_in_name) == golden.seed
    assert row.world_size == golden.world
    assert row.steps == golden.steps
    assert (row.model_bytes, row.logged_total_bytes) == (golden.model, golden.total)
    assert row.code_bytes == golden.code
    assert row.bpb == golden.bpb
    assert row.eval_s == (None if golden.eval_ms is None else pytest.approx(golden.eval_ms / 1000, abs=0.051))
    time = train_time(log)
    assert time is not None
    assert time.ms == pytest.approx(golden.stop_ms, abs=max(time.precision_ms, 0.5))


@pytest.mark.parametrize("golden", ROWS, ids=IDS)
def test_synthetic_log_of_each_golden_row_is_read_to_its_values(golden: Golden) -> None:
    """Seed, world size, stop time, steps, metric, eval time and sizes come out of a log of the row's grammar."""
    log = read_log(golden.file, synthetic(golden).encode(), LogLimits())
    _check(log, golden)
    if golden.name is not None:
        named = resolve_headline(Claim(golden.bpb, "submission.json"), (log,)).metric
        assert named is not None and named.bpb == golden.bpb


def test_minutes_keep_their_rounding() -> None:
    """A time printed as minutes with one decimal is known to three seconds only."""
    golden = next(row for row in ROWS if row.pull_request == 1959)
    time = train_time(read_log(golden.file, synthetic(golden).encode(), LogLimits()))
    assert time is not None and time.precision_ms == pytest.approx(3000)


def test_budget_line_is_named_as_a_budget() -> None:
    """A wallclock limit is not a measured time."""
    golden = next(row for row in ROWS if row.pull_request == 1544)
    time = train_time(read_log(golden.file, synthetic(golden).encode(), LogLimits()))
    assert time is not None and time.source == "budget"


@pytest.mark.corpus
@pytest.mark.parametrize("golden", ROWS, ids=IDS)
def test_real_log_of_each_golden_row(golden: Golden) -> None:
    """The log that the pull request ships is read to the same values."""
    root = os.environ.get("PGOLF_CORPUS")
    if not root:
        pytest.skip("PGOLF_CORPUS is not set to a directory of extracted pull requests")
    records = Path(root, str(golden.pull_request), "records")
    found = [path for path in records.glob(f"*/*/{golden.file}") if _holds(path, golden)]
    if not found:
        pytest.skip(f"{golden.file} of PR {golden.pull_request} is not in the corpus")
    _check(read_log(golden.file, found[0].read_bytes(), LogLimits()), golden)


def _holds(path: Path, golden: Golden) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return str(golden.total) in text.replace(",", "") if golden.total is not None else f"{golden.bpb:.8f}" in text
