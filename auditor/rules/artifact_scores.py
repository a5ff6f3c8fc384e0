"""What the logs say of the artifact beside the claimed number: scores that were printed after it had been written."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.intake.manifest import read_manifest
from auditor.intake.metric_lines import family_of
from auditor.measure.headline import half_unit
from auditor.measure.sizes import compressed_models, raw_model
from auditor.model.logs import LogFile, Metric
from auditor.rules.context import RuleContext
from auditor.rules.measured import number_of

_CLAIMED = frozenset(["mean", "single", "mean by seed", "best seed", "one run", "training line"])
"""Ways of meeting a claim in which a line is the claimed one; in others another line may only look like it."""
_EXPORTED = frozenset(["roundtrip", "quantized"])
"""Families of metrics that are scored with what was read back."""
_LOSS = 0.002
"""Losses beside the claim that differ by more are of another line; claims round to three decimals at the least."""

_OVER = 1.25
"""Artifacts that are over the cap miss it by up to 5 %; what is larger is an export beside the one that is shipped."""


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """One run behind the claim: the line that carries it, and what the same log says of the artifact."""

    metric: Metric
    artifact: tuple[Metric, ...]


def claimed_runs(ctx: RuleContext, *, later: bool) -> list[ClaimedRun]:
    """Return the runs that the claim was read from in which an artifact was written; none where another line is meant.

    `later`: the number was scored after the export, so that not everything that follows the artifact's size is its.
    """
    headline, claim = ctx.evidence.headline, ctx.evidence.claim
    if headline.level not in _CLAIMED or claim.bpb is None:
        return []
    logs = {log.file: log for log in ctx.evidence.logs}
    found: list[ClaimedRun] = []
    for metric in {(m.file, m.run): m for m in sorted(headline.matches, key=lambda m: m.line)}.values():
        log = logs[metric.file]
        if headline.level == "training line" and not _ends_training(log, metric, claim.bpb):
            continue
        largest = number_of(ctx, "artifact_bytes") * _OVER
        exports = [item for item in compressed_models(log) if later or item.line > metric.line]
        written = [item for item in exports if int(item.value) <= largest]
        if written and not _fits_unrounded(ctx, log):
            follows = not later and written[0].run == metric.run
            found.append(ClaimedRun(metric, _artifact(log, metric, written[0].line if follows else None)))
    return [] if len(found) == 1 and _of_another_line(ctx, found[0]) else found


def _ends_training(log: LogFile, metric: Metric, claim: float) -> bool:
    """Say whether training ended with the claimed validation; one on the way to another end is met by chance."""
    validated = [step for step in log.steps if step.run == metric.run and step.val_bpb is not None]
    last = validated[-1].val_bpb if validated else None
    return last is not None and abs(last - claim) <= max(1e-4, half_unit(claim))


def _of_another_line(ctx: RuleContext, run: ClaimedRun) -> bool:
    """Say whether the loss that submission.json states beside the number is neither the line's nor the artifact's."""
    stated = read_manifest(ctx.submission).data.get("val_loss") if ctx.evidence.claim.source != "README.md" else None
    logged = [metric.val_loss for metric in (run.metric, *run.artifact) if metric.val_loss is not None]
    return isinstance(stated, (int, float)) and bool(logged) and all(abs(stated - loss) > _LOSS for loss in logged)


def _fits_unrounded(ctx: RuleContext, log: LogFile) -> bool:
    """Say whether the weights fit below the cap as they are: then they may be what is shipped."""
    raw = raw_model(log)
    return raw is not None and raw + (ctx.evidence.code_bytes or 0) <= number_of(ctx, "artifact_bytes")


def _artifact(log: LogFile, metric: Metric, written: int | None) -> tuple[Metric, ...]:
    """Return the scores of the artifact in the run of a line; where it has none, those of other runs that are no worse.

    They follow the line that states its size (`written`); without one, those that are called read back are taken.
    """
    others = [m for m in log.metrics if m.bpb is not None and m.bpb != metric.bpb]
    if written is None:
        found = [m for m in others if family_of(m.name) in _EXPORTED]
    else:
        found = [m for m in others if m.line > written]
    own = [m for m in found if m.run == metric.run]
    return tuple(own or [m for m in found if (m.bpb or 0.0) <= (metric.bpb or 0.0)])
