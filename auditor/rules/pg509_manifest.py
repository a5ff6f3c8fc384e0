"""PG509: whether submission.json is there, is JSON, and states a number."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.manifest import read_manifest
from auditor.model.finding import Effect, Finding, Pass
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.measured import for_track


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Report a missing or invalid file and a claim that is none."""
    manifest = read_manifest(ctx.submission)
    if manifest.path is None:
        yield ctx.violation(manifest.problem, effect=Effect.NOTE)
        return
    place = Span(manifest.path, 0, 1)
    if manifest.problem:
        yield ctx.violation(
            f"{manifest.path} is {manifest.problem}; what it says below was read leniently",
            place,
            effect=for_track(ctx, Effect.REVIEW),
        )
    elif ctx.evidence.claim.bpb is None:
        yield ctx.violation(f"no val_bpb is claimed: {ctx.evidence.claim.problem}", place, effect=Effect.NOTE)
    else:
        yield ctx.established(f"{manifest.path} is valid and claims {ctx.evidence.claim.bpb:g}")
