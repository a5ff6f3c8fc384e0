"""PG208: the number has to be that of the weights that are saved and whose bytes are counted."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.exports import Export, export_of, rounded_before
from auditor.measure.headline import half_unit
from auditor.model.finding import Effect, Finding, Pass, PathStep
from auditor.model.logs import Metric
from auditor.rules import measured
from auditor.rules.artifact_scores import ClaimedRun, claimed_runs
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import printed_step, step
from auditor.rules.measured import number_of


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the number was scored without the rounding of the export, and its own score is worse."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or analysis.headline is None:
        return
    exported = rounded_before(analysis.trace.nodes, analysis.composition)
    if exported is not None:
        rounding, saved = exported
        yield ctx.established(
            f"{analysis.headline.function} scores weights that were rounded at line {rounding.span.line}, "
            f"of which line {saved.span.line} saves the same"
        )
    elif analysis.headline.certain:
        export = export_of(analysis.trace.nodes, analysis.composition)
        runs = claimed_runs(ctx, later=export.later) if export is not None else []
        if export is not None and runs:
            yield _held_against(ctx, analysis, export, runs)


def _held_against(ctx: RuleContext, analysis: Analysis, export: Export, runs: list[ClaimedRun]) -> Finding:
    """Hold the number against the artifact's own scores in the logs."""
    claim = ctx.evidence.claim.bpb or 0.0
    tolerance = max(number_of(ctx, "bpb_tolerance"), half_unit(claim))
    scored = [(run, min(run.artifact, key=_bpb)) for run in runs if run.artifact]
    said = _said(claim, export)
    if not scored:
        message = f"{said}; no log holds a score of what is saved"
        return ctx.unproven(message, export.loss.span, _path(analysis, export), effect=Effect.ACTION)
    run, best = min(scored, key=lambda row: _bpb(row[1]) - _bpb(row[0].metric))
    path = (*_path(analysis, export), measured.step(best.file, best.line, best.raw, "scores what was saved"))
    own = f"of what is saved the log says {best.bpb:g} ({best.name}, {best.file}:{best.line})"
    if _bpb(best) <= _bpb(run.metric) + tolerance:
        return ctx.violation(f"{said}; {own}, which is no worse", export.loss.span, path, effect=Effect.NOTE)
    return ctx.violation(f"{said}; {own}", export.loss.span, path, classes=ctx.card.classes)


def _bpb(metric: Metric) -> float:
    return metric.bpb if metric.bpb is not None else float("inf")


def _said(claim: float, export: Export) -> str:
    kept = "after the export, with weights kept from before it" if export.later else "before the weights were exported"
    saved = f" and saved at line {export.saved.span.line}" if export.saved is not None else ""
    rounded = f"what is shipped is rounded at line {export.rounding.span.line}{saved}"
    return f"the claimed {claim:g} was scored {kept}: {rounded}"


def _path(analysis: Analysis, export: Export) -> tuple[PathStep, ...]:
    """Describe the scored weights, their score and the export in order of time."""
    words = {
        export.weights.index: "the last change of the weights that are scored",
        export.rounding.index: "rounds weights made of the same training",
    }
    nodes = [export.weights, export.loss, export.rounding, *([export.saved] if export.saved is not None else [])]
    steps: list[PathStep] = []
    for node in sorted(nodes, key=lambda n: n.index):
        saves = "saves what was rounded" if node is export.saved else ""
        steps.append(step(node, words.get(node.index, saves), "SCORE" if node is export.loss else ""))
        if node is export.loss:
            steps.extend(printed_step(analysis))
    return tuple(steps)
