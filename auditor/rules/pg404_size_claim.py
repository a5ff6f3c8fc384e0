"""PG404: the artifact size that submission.json claims, against what the logs and the shipped files give."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.manifest import read_manifest
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import number_of

_SLACK = 2_000
"""Bytes that another run or an edited line of code explains."""


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare the claimed bytes with every run's total, logged and recomputed."""
    manifest = read_manifest(ctx.submission)
    claimed = manifest.bytes_total
    rows = [row for row in ctx.evidence.seeds if row.model_bytes is not None or row.logged_total_bytes is not None]
    if claimed is None or not rows:
        return
    totals = [v for row in rows for v in (row.total_bytes, row.logged_total_bytes) if v is not None]
    if totals and min(abs(total - claimed) for total in totals) <= _SLACK:
        yield ctx.established(f"{manifest.bytes_key} = {claimed:,} is the total of a run within {_SLACK:,} bytes")
        return
    mean = sum(totals) / len(totals) if totals else 0.0
    if totals and abs(mean - claimed) <= _SLACK:
        yield ctx.established(f"{manifest.bytes_key} = {claimed:,} is the mean of the runs' totals")
        return
    models = [row.model_bytes for row in rows if row.model_bytes is not None]
    cap = int(number_of(ctx, "artifact_bytes"))
    if any(abs(model - claimed) <= _SLACK for model in models):
        why = "that is the model alone, without the code"
    elif totals:
        nearest = min(totals, key=lambda total: abs(total - claimed))
        why = f"the nearest total of a run is {nearest:,} ({claimed - nearest:+,} bytes)"
    else:
        return
    hidden = "; the logs are above the cap" if claimed <= cap < max(totals, default=0) else ""
    yield ctx.violation(f"submission.json claims {manifest.bytes_key} = {claimed:,}: {why}{hidden}")
