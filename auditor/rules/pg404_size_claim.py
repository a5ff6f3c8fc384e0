"""PG404: the artifact size that submission.json claims, against what the logs and the shipped files give."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.manifest import read_manifest
from auditor.measure.blobs import shipped_models
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import number_of

_BLOBS = 6
_SLACK = 2_000
"""Bytes that another run or an edited line of code explains."""


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare the claimed bytes with every run's total, and shipped models with what the logs wrote."""
    yield from _shipped(ctx)
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


def _shipped(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare model files in the folder with the sizes that the runs print."""
    logged = {row.model_bytes: row.file for row in ctx.evidence.seeds if row.model_bytes is not None}
    code = ctx.evidence.code_bytes or 0
    cap = int(number_of(ctx, "artifact_bytes"))
    for blob in shipped_models(ctx.submission)[:_BLOBS]:
        if blob.bytes in logged:
            yield ctx.established(f"{blob.path} has the {blob.bytes:,} bytes that {logged[blob.bytes]} printed")
        elif blob.bytes + code > cap:
            yield ctx.violation(
                f"{blob.path} has {blob.bytes:,} bytes, with the code more than {cap:,}; no log prints that size",
                effect=Effect.NOTE,
            )
