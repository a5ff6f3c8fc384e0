"""Doubt: what stands on one side of a condition that hangs on no data and could not be decided may not have happened.

A condition on data comes out either way in some iteration, one on a clock or a counter in time, one on what a loop runs
over for some element; an unknown setting does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from auditor.frontend.walk import nodes_of
from auditor.interp.graph import Kind, Node
from auditor.interp.machine import Machine
from auditor.interp.values import Mark, Sym

CAP = 40_000
"""Events looked through between a score and what it may have learned from."""


@contextmanager
def one_side(m: Machine, test: Any, asked: ast.expr) -> Iterator[None]:
    """Follow one side of an undecided condition; its events are in doubt where the condition hangs on no data."""
    if (isinstance(test, Sym) and (test.node is not None or test.mark & (Mark.CLOCK | Mark.COUNTED))) or _of_elements(
        m, asked
    ):
        yield
        return
    with doubted(m, (m.ident(),)):
        yield


def _of_elements(m: Machine, asked: ast.expr) -> bool:
    """Say whether a condition speaks of what an active loop of this call runs over."""
    loops = [loop.node.target for loop in m.frame.loops if isinstance(loop.node, (ast.For, ast.AsyncFor))]
    elements = {name.id for target in loops for name in nodes_of(target, ast.Name)}
    return any(name.id in elements for name in nodes_of(asked, ast.Name)) if elements else False


@contextmanager
def doubted(m: Machine, more: tuple[int, ...]) -> Iterator[None]:
    """Put what happens meanwhile under further doubts."""
    before = m.doubts
    m.doubts = (*before, *[one for one in more if one not in before])
    try:
        yield
    finally:
        m.doubts = before


def happened(source: Node, score: Node, hooked: bool) -> bool:
    """Say whether a source surely happened where the score did, and reached it by more than a way that is in doubt.

    `hooked` says whether there are such ways at all: hooks that may not have been registered, and weights that may
    have been overwritten in between.
    """
    if _doubtful(source, score):
        return False
    if not hooked:
        return True
    ways = ("hooked", "unsure") if source.kind is Kind.FORWARD else ("unsure",)
    seen: set[int] = set()
    stack = [score]
    while stack and len(seen) < CAP:
        node = stack.pop()
        if node is source:
            return True
        if node.index in seen or node.index < source.index or (_one_of(node, ways) and _doubtful(node, score)):
            continue
        seen.add(node.index)
        stack.extend((*node.parents, *node.state))
    return bool(stack)


def surely(source: Node, scores: Iterable[Node]) -> bool:
    """Say whether something surely happened where one of the scores did."""
    return any(happened(source, score, False) for score in scores)


def _one_of(node: Node, ways: tuple[str, ...]) -> bool:
    return any(node.info.get(way) for way in ways)


def _doubtful(node: Node, score: Node) -> bool:
    return any(one not in score.doubts for one in node.doubts)
