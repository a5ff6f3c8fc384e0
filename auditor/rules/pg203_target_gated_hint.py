"""PG203: whether or how strongly a hint acts may not depend on the realised token."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.interp.graph import Node, ancestors
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.evidence_path import steps_of
from auditor.rules.mixtures import gates, mixtures


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield a violation where the weight of the model's own score was looked up by the realised token."""
    analysis = ctx.analysis
    if analysis is None or analysis.headline is None or any(m.target_keyed for m in mixtures(analysis)):
        return
    for hit in analysis.composition.told if analysis.composition is not None else ():
        made = _made(hit)
        yield ctx.violation(
            f"{analysis.headline.function} raises the score of hinted tokens, and whether or what is hinted at a place "
            f"was decided by the token at that place ({_place(made)}, compared with the targets at line "
            f"{hit.span.line})",
            hit.span,
            steps_of([made, hit], analysis),
            classes=ctx.card.classes,
        )
        return
    for blend, read in gates(analysis):
        yield ctx.violation(
            f"{analysis.headline.function} weighs the score of each token by what was looked up for the token itself "
            f"(look-up at line {read.span.line}, weight applied at line {blend.span.line}), so that the mixture does "
            "not sum to one over the vocabulary",
            read.span,
            steps_of([read, blend], analysis),
            classes=ctx.card.classes,
        )
        return


def _made(hit: Node) -> Node:
    """Return where the hint came to know its token: the native call whose source says so, else the hint itself."""
    hint: Node = hit.info["told"]
    natives = (n for n in ancestors(hint, into_state=False, cap=2_000) if "native_line" in n.info)
    return next(natives, hint)


def _place(made: Node) -> str:
    if "native_line" in made.info:
        return f"{made.info['native']} writes it at line {made.info['native_line']}, called at line {made.span.line}"
    return f"made at line {made.span.line}"
