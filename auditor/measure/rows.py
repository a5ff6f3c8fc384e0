"""One row per run: steps, times, sizes, software as the log shows them. None is unknown, never zero."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.measure.headline import last_metric
from auditor.measure.select import in_run, last_runs, main_logs, metric_run, number, observed_seed, training_run
from auditor.measure.sizes import compressed_model, logged_code, logged_total
from auditor.measure.timing import calibration_ms, train_time
from auditor.model.evidence import Headline, SeedRow
from auditor.model.logs import LogFile, Metric


def seed_rows(logs: Sequence[LogFile], headline: Headline, code_bytes: int | None) -> tuple[SeedRow, ...]:
    """Build the rows of the main logs, byte-copies left out."""
    return tuple(row_of(log, headline, code_bytes) for log in main_logs(logs))


def headline_metric(log: LogFile, headline: Headline) -> Metric | None:
    """Return this log's line of the metric that carries the claim, else its last non-diagnostic metric."""
    own = [metric for metric in headline.matches if metric.file == log.file]
    if own:
        return own[0]
    if headline.metric is not None:
        named = [metric for metric in last_runs(log) if metric.name == headline.metric.name]
        if named:
            return named[-1]
    return last_metric(log)


def eval_ms(log: LogFile, headline: Headline) -> float | None:
    """Return the evaluation time of the claimed metric: the logged total where there is one, else its own time."""
    total = number(in_run(log, "eval_total_ms", metric_run(log)))
    if total is not None:
        return total
    metric = headline_metric(log, headline)
    if metric is None:
        return None
    if metric.eval_ms is not None:
        return metric.eval_ms
    twins = [
        other.eval_ms
        for other in last_runs(log)
        if other.eval_ms is not None and abs((other.bpb or 0.0) - (metric.bpb or 0.0)) <= 6e-5
    ]
    return max(twins, default=None)


def row_of(log: LogFile, headline: Headline, code_bytes: int | None) -> SeedRow:
    """Build the row of one log; `code_bytes` None leaves the recomputed total unknown."""
    train = train_time(log)
    model = compressed_model(log)
    metric = headline_metric(log, headline)
    calibration = calibration_ms(log)
    spent = eval_ms(log, headline)
    steps = last_step(log)
    return SeedRow(
        file=log.file,
        seed=observed_seed(log),
        seed_in_name=log.seed_in_name,
        steps=steps,
        train_s=None if train is None else train.ms / 1000.0,
        train_precision_s=0.0 if train is None else train.precision_ms / 1000.0,
        gptq_s=None if calibration is None else calibration / 1000.0,
        eval_s=None if spent is None else spent / 1000.0,
        bpb=None if metric is None else metric.bpb,
        val_loss=None if metric is None else metric.val_loss,
        code_bytes=logged_code(log),
        model_bytes=model,
        logged_total_bytes=logged_total(log),
        total_bytes=None if model is None or code_bytes is None else model + code_bytes,
        python=text_fact(log, "python"),
        torch=text_fact(log, "torch"),
        gpu=text_fact(log, "gpu"),
        world_size=world_size(log),
    )


def last_step(log: LogFile) -> int | None:
    """Return how many steps the counted run trained: the stop line's, else the last step printed."""
    run = training_run(log)
    stop = [item for item in log.facts if item.fact == "stop_step" and item.run == run]
    if stop:
        return int(stop[-1].value)
    return max((step.step for step in log.steps if step.run == run), default=None)


def text_fact(log: LogFile, fact: str) -> str | None:
    """Return the first reading of a fact in the counted run as text."""
    found = in_run(log, fact, training_run(log))
    return str(found[0].value) if found else None


def world_size(log: LogFile) -> int | None:
    """Return how many processes trained, None where the log does not print it."""
    found = in_run(log, "world_size", training_run(log))
    return int(found[0].value) if found else None
