"""Choose among what a log says: which run counts, which seed, which size. Pure functions over `LogFile`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.model.logs import LogFile, Metric, Observed


def main_logs(logs: Sequence[LogFile]) -> list[LogFile]:
    """Return the logs that count: main ones with content, byte-copies left out; all of them where none is main."""
    distinct = [log for log in logs if not log.duplicate_of and (log.metrics or log.steps or log.facts)]
    return [log for log in distinct if log.main] or distinct


def metric_run(log: LogFile) -> int:
    """Return the run whose metrics count: the last that has one which is not a diagnostic, else the last with any."""
    finals = [metric.run for metric in log.metrics if not metric.diagnostic]
    return max(finals or [metric.run for metric in log.metrics] or [log.runs - 1])


def training_run(log: LogFile) -> int:
    """Return the run whose training counts: the one with the metrics, else the last before it that has training steps.

    A recapitulation at the end of a log has validation lines only, an aborted rerun behind it no metrics.
    """
    trained = [step.run for step in log.steps if step.step > 0 and step.train_loss is not None]
    counted = metric_run(log)
    before = [run for run in trained if run <= counted]
    return max(before or trained or [step.run for step in log.steps if step.step > 0] or [counted])


def last_runs(log: LogFile) -> list[Metric]:
    """Return the metrics of the run that counts, in file order."""
    run = metric_run(log)
    return [metric for metric in log.metrics if metric.run == run]


def in_run(log: LogFile, fact: str, run: int) -> list[Observed]:
    """Return what `fact` reads in a run; where that run says nothing, what the file says."""
    found = [item for item in log.facts if item.fact == fact]
    return [item for item in found if item.run == run] or found


def observed_seed(log: LogFile) -> int | None:
    """Return the seed that the log prints, None where it prints none."""
    run = training_run(log)
    for fact in ("seed", "seed_inline"):
        found = in_run(log, fact, run)
        if found:
            return int(found[0].value)
    printed = log.hyperparameters.get("seed") or log.hyperparameters.get("SEED")
    if printed and printed[0].lstrip("-").isdigit():
        return int(printed[0])
    return None


def number(items: Iterable[Observed], *, last: bool = True) -> float | None:
    """Return the last (or first) value of a list of facts as a number."""
    chosen = list(items)
    return float(chosen[-1 if last else 0].value) if chosen else None
