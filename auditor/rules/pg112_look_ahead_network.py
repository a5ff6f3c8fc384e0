"""PG112: a network's prediction of a token may depend on the tokens before it only."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.causal import LookAhead
from auditor.model.finding import Effect, Finding, Pass, PathStep
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import load_of, printed_step, step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where a network behind the headline certainly reads the token that it predicts."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None:
        return
    for ahead in analysis.ahead:
        seen, network = ahead.seen, ahead.forward.text
        message = (
            f"{network} predicts each token with tokens after the place it predicts from: {seen.function} {seen.words} "
            f"(line {seen.span.line}), and what it makes of that is scored against the next token at line "
            f"{ahead.loss.span.line}"
        )
        if ahead.certain:
            yield ctx.violation(message, seen.span, _path(ahead, analysis), classes=ctx.card.classes)
        else:
            doubt = "some of the scores that the number may be made of: "
            yield ctx.unproven(doubt + message, seen.span, _path(ahead, analysis), effect=Effect.NOTE)
        return


def _path(ahead: LookAhead, analysis: Analysis) -> tuple[PathStep, ...]:
    """Describe the way from the tokens through the place that looks ahead to the number."""
    load, seen = load_of(ahead.loss), ahead.seen
    return (
        *([step(load)] if load is not None else []),
        step(ahead.forward),
        PathStep("OP", seen.span, seen.function, f"{seen.words}, and adds it to what the prediction is made of"),
        step(ahead.loss, f"scores positions {ahead.loss.region}, which the network had been given", "SCORE"),
        *printed_step(analysis),
    )
