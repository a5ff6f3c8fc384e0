"""Read logs outside a submission: the facts of single files, as `pgolf logs` prints them. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import IntakeError
from auditor.intake.logs import read_log
from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.measure.consistency import inconsistencies
from auditor.measure.headline import resolve_headline
from auditor.measure.rows import row_of
from auditor.model.evidence import Claim, Headline, SeedRow
from auditor.model.logs import LogFile, Metric


@dataclass(frozen=True, slots=True)
class LogReport:
    """What one log says."""

    log: LogFile
    headline: Headline
    row: SeedRow
    notes: tuple[str, ...]
    """What in it does not fit together."""


def read_log_files(paths: Sequence[Path], limits: Limits = DEFAULT_LIMITS) -> tuple[LogReport, ...]:
    """Read every file; a path that cannot be read is an `IntakeError`."""
    return tuple(_report(path, limits) for path in paths)


def as_json(report: LogReport) -> dict[str, Any]:
    """Return a log's facts as plain data; unknown values are null."""
    row, log = report.row, report.log
    return {
        "file": log.file,
        "family": log.family,
        "encoding": log.encoding,
        "runs": log.runs,
        "seed": row.seed,
        "seed_in_name": row.seed_in_name,
        "world_size": row.world_size,
        "steps": row.steps,
        "train_s": row.train_s,
        "train_precision_s": row.train_precision_s,
        "calibration_s": row.gptq_s,
        "eval_s": row.eval_s,
        "headline": None
        if report.headline.metric is None
        else {"name": report.headline.metric.name, "bpb": row.bpb, "line": report.headline.metric.line, "guess": True},
        "code_bytes": row.code_bytes,
        "model_bytes": row.model_bytes,
        "total_bytes": row.logged_total_bytes,
        "python": row.python,
        "torch": row.torch,
        "gpu": row.gpu,
        "metrics": [_metric(metric) for metric in log.metrics],
        "facts": [
            {"fact": item.fact, "value": item.value, "unit": item.unit, "run": item.run, "line": item.line}
            for item in log.facts
        ],
        "settings": {name: {"value": value, "line": line} for name, (value, line) in log.hyperparameters.items()},
        "notes": list(report.notes),
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "bpb": metric.bpb,
        "val_loss": metric.val_loss,
        "eval_ms": metric.eval_ms,
        "diagnostic": metric.diagnostic,
        "run": metric.run,
        "line": metric.line,
    }


def _report(path: Path, limits: Limits) -> LogReport:
    try:
        with path.open("rb") as handle:
            data = handle.read(limits.logs.file_bytes + 1)
    except OSError as error:
        raise IntakeError(f"{path}: {error.strerror or error}") from error
    log = read_log(path.name, data, limits.logs)
    headline = resolve_headline(Claim(None, ""), (log,))
    notes = tuple(f"line {item.line}: {item.message}" for item in inconsistencies((log,), headline))
    return LogReport(log, headline, row_of(log, headline, None), (*log.problems, *notes))
