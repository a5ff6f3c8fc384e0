"""PG111: recognise the legal eval paths, and say what was established about the order of scoring and learning."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind
from auditor.interp.leaks import Way
from auditor.model.finding import Finding, Pass
from auditor.model.source import Program
from auditor.rules.byte_models import byte_model
from auditor.rules.context import RuleContext
from auditor.rules.loose_parameters import loose_steps
from auditor.rules.mixtures import gates, mixtures, unplaced


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a PASS for each legal way in which the headline was scored."""
    analysis = ctx.analysis
    if analysis is None or analysis.composition is None or not analysis.composition.scores:
        return
    unknown = any(analysis.trace.learned[score.loss.index].trained_unplaced for score in analysis.composition.scores)
    if unknown or any(note.info.get("learns") for note in analysis.trace.notes):
        return
    function = analysis.headline.function if analysis.headline is not None else ""
    adapted = 0 if _only_loose(analysis) else _adapts(analysis)
    if adapted and all(leak.way is Way.CALIBRATION for leak in analysis.leaks):
        yield ctx.established(
            f"{function}: {adapted} update {'site learns' if adapted == 1 else 'sites learn'} from validation tokens, "
            f"each after the score of its own tokens was fixed ({len(analysis.composition.scores)} scores followed)",
            classes=("score-first-ttt",),
        )
    found = mixtures(analysis)
    unclear = not found and unplaced(analysis) is not None
    sound = any(mixture.exact for mixture in found) or not (found or unclear)
    unsound = any(mixture.target_keyed for mixture in found) or not sound or bool(gates(analysis))
    # A sample that ends before the first write still shows which look-ups come before it.
    cached = _caches(analysis) + len(analysis.composition.natives) or sum(len(mixture.exact) for mixture in found)
    if cached and not (analysis.leaks or unsound or _mixes_bytes(analysis, ctx.program)):
        told = "; which tokens the hints act on is another rule's matter" if analysis.composition.told else ""
        yield ctx.established(
            f"{function}: {cached} cache look-ups and read native calls, each into a table of tokens scored before"
            + told,
            classes=("normalized-ngram",),
        )
    ahead = any(network.certain for network in analysis.ahead)
    others = analysis.leaks or ahead or analysis.composition.told or found or unclear or loose_steps(analysis)
    if not (adapted or cached or others or _beyond(analysis, ctx.program)):
        yield ctx.established(
            f"{function}: nothing that the scores depend on had learned from validation tokens "
            f"({len(analysis.composition.scores)} scores followed)",
            classes=("plain-eval",),
        )


def _beyond(analysis: Analysis, program: Program | None) -> bool:
    """Say whether the losses go through native code or a byte model, of which this rule knows nothing."""
    native = any(
        note.kind is Kind.NATIVE and any(p.region or p.kind is Kind.LOSS for p in note.parents)
        for note in analysis.trace.notes
    )
    return native or _mixes_bytes(analysis, program)


def _mixes_bytes(analysis: Analysis, program: Program | None) -> bool:
    """Say whether a model of bytes is mixed in, whose table look-ups another rule speaks of."""
    return program is not None and byte_model(analysis, program) is not None


def _adapts(analysis: Analysis) -> int:
    """Count the update sites through which scored tokens had reached the weights of later scores."""
    assert analysis.composition is not None
    if not any(analysis.trace.learned[s.loss.index].trained for s in analysis.composition.scores):
        return 0
    learned = analysis.trace.learned
    sites = {
        node.span
        for node in analysis.trace.nodes
        if node.kind is Kind.BACKWARD and any(learned[p.index].losses for p in node.parents)
    }
    return len(sites)


def _only_loose(analysis: Analysis) -> bool:
    """Say whether nothing but parameters outside the weights learned; other rules name that."""
    steps = loose_steps(analysis)
    return bool(steps) and not any(
        node.kind is Kind.STEP and not node.info.get("loose") and analysis.trace.learned[node.index].trained
        for node in analysis.trace.nodes
    )


def _caches(analysis: Analysis) -> int:
    assert analysis.composition is not None
    learned = analysis.trace.learned
    direct = sum(bool(learned[read.index].cached) for read in analysis.composition.reads)
    return direct or sum(bool(learned[score.loss.index].cached) for score in analysis.composition.scores)
