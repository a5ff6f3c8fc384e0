"""PG509: whether submission.json is there, is JSON, and states a number."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.manifest import claim_of, read_manifest
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
    place, claim = Span(manifest.path, 0, 1), ctx.evidence.claim
    if manifest.problem:
        yield ctx.violation(
            f"{manifest.path} is {manifest.problem}; what it says below was read leniently",
            place,
            effect=for_track(ctx, Effect.REVIEW),
        )
    elif claim.bpb is None:
        yield ctx.violation(f"no val_bpb is claimed: {claim.problem}", place, effect=Effect.NOTE)
    elif claim_of(manifest).bpb is None:
        yield ctx.violation(
            f"{manifest.path} claims no val_bpb ({claim.problem}); the {claim.bpb:g} that is compared stands in "
            f"{'the folder name' if claim.source == 'folder name' else claim.source}",
            place,
            effect=Effect.NOTE,
        )
    else:
        yield ctx.established(f"{manifest.path} is valid and claims {claim.bpb:g}")
