"""The 600 second budgets, from the logs: training, calibration after the stop, evaluation, work outside the timers.

Every duration keeps where it was read; what a log does not time is unknown, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from auditor.measure.select import in_run, last_runs, metric_run, training_run
from auditor.model.logs import LogFile, Metric, Observed

_SAME_EVAL_MS = 1000.0
"""Durations closer than this are one evaluation that is printed twice."""
_WHOLE = re.compile(r"\bdone\b|\ball\b", re.I)
"""A line that closes several timed ones; it would count them twice."""


@dataclass(frozen=True, slots=True)
class TrainTime:
    """How long training ran by the log's own clock."""

    ms: float
    precision_ms: float
    source: str
    """"stop line", "last step" or "budget" (a limit that the log names, not a measured time)."""
    line: int
    raw: str


@dataclass(frozen=True, slots=True)
class EvalTimes:
    """Evaluation times of the run that counts, in milliseconds; None is unknown."""

    longest: Metric | None
    logged_total: Observed | None
    distinct_sum_ms: float | None
    """Sum over distinct evals that are not diagnostics; authors often evaluate again for information."""
    outside: tuple[Observed, ...] = ()
    """Work that the log itself places outside the evaluation timer."""
    outside_untimed: tuple[Observed, ...] = ()


def train_time(log: LogFile) -> TrainTime | None:
    """Return the training time of the counted run."""
    run = training_run(log)
    steps = [step for step in log.steps if step.run == run and step.time_ms is not None and step.step > 0]
    last = max(steps, key=lambda step: (step.step, step.line), default=None)
    stops = [item for item in log.facts if item.fact == "stop_ms" and item.run == run and float(item.value) > 0]
    if stops:
        stop = stops[-1]
        return TrainTime(float(stop.value), 0.5, "stop line", stop.line, stop.raw)
    if last is not None and last.time_ms is not None:
        return TrainTime(last.time_ms, last.time_precision_ms, "last step", last.line, last.raw)
    budget = [item for item in log.facts if item.fact == "budget_s" and item.run == run]
    if budget:
        return TrainTime(float(budget[-1].value) * 1000.0, 0.0, "budget", budget[-1].line, budget[-1].raw)
    return None


def training_end(log: LogFile) -> int:
    """Return the line after which training is over: the stop line, else the last training step."""
    run = training_run(log)
    stops = [item.line for item in log.facts if item.fact in ("stop_ms", "stop_step", "budget_s") and item.run == run]
    return max(stops or [step.line for step in log.steps if step.run == run and step.step > 0], default=0)


def calibration(log: LogFile) -> list[Observed]:
    """Return the timed calibration and self-generation lines after the stop, each duration once."""
    end, run = training_end(log), training_run(log)
    found: dict[tuple[float, str], Observed] = {}
    for item in log.facts:
        if item.fact == "calibration_ms" and item.run == run and item.line > end:
            found.setdefault((float(item.value), item.raw.strip()[:40]), item)
    parts = [item for item in found.values() if not _WHOLE.search(item.raw)]
    return parts or list(found.values())


def calibration_ms(log: LogFile) -> float | None:
    """Return the timed calibration after the stop, None where there is none or it is not timed."""
    found = calibration(log)
    return sum(float(item.value) for item in found) if found else None


def untimed_calibration(log: LogFile) -> Observed | None:
    """Return a line that announces calibration after the stop, where no line of that log times it.

    Where no training is read, nothing is known to stand after it: scripts calibrate their step time before it as well.
    """
    end, run = training_end(log), training_run(log)
    if not end or calibration(log):
        return None
    return next((i for i in log.facts if i.fact == "calibration_untimed" and i.run == run and i.line > end), None)


def eval_times(log: LogFile) -> EvalTimes:
    """Return the evaluation times of the counted run."""
    run = metric_run(log)
    timed = [metric for metric in last_runs(log) if metric.eval_ms is not None]
    counted = [metric for metric in timed if not metric.diagnostic]
    distinct = _distinct(counted)
    totals = [item for item in log.facts if item.fact == "eval_total_ms" and item.run == run]
    outside = tuple(item for item in log.facts if item.fact == "outside_timer_ms" and item.run == run)
    said = tuple(item for item in log.facts if item.fact == "outside_timer_note" and item.run == run)
    return EvalTimes(
        max(timed, key=lambda metric: metric.eval_ms or 0.0, default=None),
        totals[-1] if totals else None,
        sum(metric.eval_ms or 0.0 for metric in distinct) if distinct else None,
        outside,
        () if outside else said[:1],
    )


def _distinct(metrics: Sequence[Metric]) -> list[Metric]:
    """Leave out lines that print one evaluation a second time, under a twin name or with another rounding."""
    kept: list[Metric] = []
    for metric in metrics:
        ms = metric.eval_ms or 0.0
        if not any(abs(ms - (other.eval_ms or 0.0)) <= max(_SAME_EVAL_MS, 0.005 * ms) for other in kept):
            kept.append(metric)
    return kept


def after_stop(log: LogFile) -> list[tuple[str, Observed]]:
    """Return (kind of work, line) of what the log times between the training stop and its evaluations.

    Quantisation and compression stand apart from calibration: practice counts only the latter as training. Lines may
    contain each other, so their durations are listed and not added.
    """
    end, run = training_end(log), training_run(log)
    found = [("calibration", item) for item in calibration(log)]
    for fact, kind in (("prequant_ttt_ms", "training before quantisation"), ("quantize_ms", "quantisation")):
        found += [(kind, item) for item in log.facts if item.fact == fact and item.run == run and item.line > end]
    return sorted(found, key=lambda row: row[1].line)


def reserve_ms(log: LogFile) -> float | None:
    """Return what the run reserves of the training budget for calibration, None where it does not say."""
    items = in_run(log, "reserve_ms", training_run(log))
    return float(items[0].value) if items else None
