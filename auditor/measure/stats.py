"""Mean, spread and the improvement over the record before, with the two bars that the contest used.

The README asks for 0.005 nats at p < 0.01; leaderboard practice from late April on was a one-sided Welch test at
p < 0.25. Both are shown; which one holds is the maintainers' to say.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev, variance

from auditor.rules.data import data_root

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the frontier: an accepted record with its per-seed results."""

    pull_request: int
    date: str
    score: float
    bpb: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Margin:
    """How a submission compares with the record before it; None where a value cannot be computed."""

    record: Record
    bpb: float
    """Improvement in bits per byte, positive where the submission is better."""
    nats: float | None
    """The same in nats per token of the submission's own tokenizer; token losses of two tokenizers do not compare."""
    p_value: float | None
    """One-sided Welch test: probability of such an improvement without a difference."""


@lru_cache(maxsize=1)
def frontier() -> tuple[Record, ...]:
    """Return the accepted records of the data file, oldest first."""
    rows = tomllib.loads((data_root() / "frontier.toml").read_text(encoding="utf-8"))["record"]
    found = [
        Record(
            int(row["pull_request"]),
            str(row["date"]),
            float(row["score"]),
            tuple(float(value) for value in row.get("bpb", ())),
            str(row["source"]),
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda record: (record.date, -record.score)))


def record_before(date: str, records: Sequence[Record]) -> Record | None:
    """Return the best record dated before `date` (YYYY-MM-DD)."""
    earlier = [record for record in records if record.date < date]
    return min(earlier, key=lambda record: record.score, default=None)


def mean_and_std(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation, None where there are too few values."""
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None


def welch_less(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the one-sided p-value for mean(first) < mean(second), unequal variances; None below two values each.

    The degrees of freedom are Welch and Satterthwaite's; only `scipy.special` is loaded, a tenth of `scipy.stats`.
    """
    if len(first) < 2 or len(second) < 2:
        return None
    errors = variance(first) / len(first), variance(second) / len(second)
    if sum(errors) == 0.0:
        return None
    from scipy.special import stdtr

    t = (fmean(first) - fmean(second)) / math.sqrt(sum(errors))
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / (len(first) - 1) + errors[1] ** 2 / (len(second) - 1))
    return float(stdtr(freedom, t))


def margin(bpb: Sequence[float], nats_per_bpb: float | None, record: Record) -> Margin | None:
    """Compare per-seed results with a record; `nats_per_bpb` is the submission's val_loss / val_bpb."""
    if not bpb:
        return None
    gained = (fmean(record.bpb) if record.bpb else record.score) - fmean(bpb)
    return Margin(record, gained, None if nats_per_bpb is None else gained * nats_per_bpb, welch_less(bpb, record.bpb))
