"""Evidence as the JSON `facts` of the report's contract: size, timing, bpb, python. Plain data, no judgement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditor.measure.implied import implied
from auditor.measure.rows import headline_metric
from auditor.measure.select import in_run, main_logs, metric_run
from auditor.measure.sizes import totals_differ
from auditor.measure.stats import mean_and_std
from auditor.measure.timing import after_stop, eval_times, reserve_ms
from auditor.model.evidence import Claim, Headline, SeedRow
from auditor.model.logs import LogFile
from auditor.rules.data import Edition

CANONICAL_BYTES = 151_078_222.0
"""Bytes of the full validation set where no edition says otherwise."""


def facts_of(
    claim: Claim,
    headline: Headline,
    logs: Sequence[LogFile],
    rows: Sequence[SeedRow],
    code_bytes: int | None,
    edition: Edition | None,
) -> dict[str, Any]:
    """Put the measurements into the contract's shape; every value is JSON-ready and None is unknown."""
    used = {log.file: log for log in main_logs(logs)}
    cap = int(edition.numbers.get("artifact_bytes", 16_000_000)) if edition else 16_000_000
    return {
        "python": {"seen_in_logs": sorted({row.python for row in rows if row.python})},
        "size": _size(rows, code_bytes, cap),
        "timing": {"per_seed": [_timing(row, used[row.file]) for row in rows]},
        "bpb": _bpb(claim, headline, rows, used, edition.numbers["val_bytes"] if edition else CANONICAL_BYTES),
    }


def _size(rows: Sequence[SeedRow], code_bytes: int | None, cap: int) -> dict[str, Any]:
    largest = max(
        (row for row in rows if row.total_bytes is not None), key=lambda row: row.total_bytes or 0, default=None
    )
    return {
        "code_bytes": code_bytes,
        "model_bytes": largest.model_bytes if largest else None,
        "total_bytes": largest.total_bytes if largest else None,
        "cap": cap,
        "per_seed": [
            {
                "seed": row.seed,
                "file": row.file,
                "code_bytes_logged": row.code_bytes,
                "model_bytes": row.model_bytes,
                "total_bytes": row.total_bytes,
                "total_bytes_logged": row.logged_total_bytes,
                "totals_differ": totals_differ(row, code_bytes),
            }
            for row in rows
        ],
    }


def _timing(row: SeedRow, log: LogFile) -> dict[str, Any]:
    times = eval_times(log)
    return {
        "seed": row.seed,
        "file": row.file,
        "steps": row.steps,
        "train_s": row.train_s,
        "train_precision_s": row.train_precision_s,
        "gptq_s": row.gptq_s,
        "reserved_s": _seconds(reserve_ms(log)),
        "after_stop": [
            {"kind": kind, "s": _seconds(float(item.value)), "line": item.line} for kind, item in after_stop(log)
        ],
        "eval_s": row.eval_s,
        "eval_longest_s": _seconds(times.longest.eval_ms if times.longest else None),
        "eval_logged_total_s": _seconds(float(times.logged_total.value) if times.logged_total else None),
        "eval_sum_s": _seconds(times.distinct_sum_ms),
        "eval_outside_timer_s": _seconds(sum(float(item.value) for item in times.outside) if times.outside else None),
        "world_size": row.world_size,
        "gpu": row.gpu,
    }


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000.0, 3)


def _bpb(
    claim: Claim, headline: Headline, rows: Sequence[SeedRow], used: dict[str, LogFile], canonical: float
) -> dict[str, Any]:
    per_seed: list[dict[str, Any]] = []
    for row in rows:
        metric = headline_metric(used[row.file], headline)
        tokens = val_tokens(used[row.file])
        measured = implied(metric, tokens, canonical) if metric is not None else None
        per_seed.append(
            {
                "seed": row.seed,
                "file": row.file,
                "bpb": row.bpb,
                "val_loss": row.val_loss,
                "metric": metric.name if metric else None,
                "line": metric.line if metric else None,
                "val_tokens": tokens,
                "implied_bytes": None if measured is None else round(measured.bytes),
                "bytes_per_token": None if measured is None else round(measured.bytes / measured.tokens, 5),
                "implied_over_canonical": None if measured is None else round(measured.ratio, 6),
                "tokenizer": None if measured is None else measured.tokenizer,
                "subset": None if measured is None else measured.subset,
            }
        )
    mean, std = mean_and_std([row.bpb for row in rows if row.bpb is not None])
    known = [item["implied_bytes"] for item in per_seed if item["implied_bytes"] is not None]
    return {
        "claimed": claim.bpb,
        "matched": headline.level,
        "metric": headline.metric.name if headline.metric else None,
        "mean": mean,
        "std": std,
        "per_seed": per_seed,
        "implied_bytes": round(sum(known) / len(known)) if known else None,
    }


def val_tokens(log: LogFile) -> int | None:
    """Return the number of validation tokens that the log prints."""
    found = in_run(log, "val_tokens", metric_run(log))
    return int(found[0].value) if found else None
