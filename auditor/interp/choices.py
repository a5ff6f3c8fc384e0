"""Choices by value: a loss that is kept because a comparison of losses preferred it knows the realised token.

A comparison of two losses of validation tokens is an event. What is stored on a side of a condition made of it, and is
made of a loss that it compared, was chosen by its own value; so is what is stored in the rest of an iteration that the
condition may have left. A choice that covers everything that is counted is one among whole evaluations: of outcomes,
on which opinions differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.learn import Learned
from auditor.interp.machine import BreakSignal, ContinueSignal, Machine
from auditor.interp.region import Region
from auditor.interp.scores import Composition
from auditor.interp.values import Mark, Sym

REACH = 2_000
"""Events looked through between a value and the losses that it was made of."""
NEAR = 60
"""Events looked through between a condition and the comparisons that it was made of."""
WHOLE_SHARE = 0.9
"""Share of the counted positions from which on choices that belong together are one among whole evaluations; of
sampled texts or batches, each is a third of them at most."""
TOGETHER = 0.1
"""Share of the smaller of two choices from which on they are about the same text; an overlap at an edge is less."""

_LOSS = frozenset((Kind.LOSS,))
_NONE: frozenset[int] = frozenset()


def losses_of(node: Node | None) -> frozenset[int]:
    """Return the losses of validation tokens that a value was made of."""
    if node is None:
        return _NONE
    found = ancestors(node, into_state=False, stop=_LOSS, cap=REACH)
    return frozenset(n.index for n in found if n.kind is Kind.LOSS and n.region and not n.info.get("train"))


def compared(m: Machine, *values: Any) -> Node | None:
    """Return an event of comparing losses of validation tokens with each other, None where there is no difference."""
    syms = [value for value in values if isinstance(value, Sym) and value.mark & Mark.NLL and value.node is not None]
    if len({sym.node.index for sym in syms if sym.node is not None}) < 2:
        return None
    sets = [losses_of(sym.node) for sym in syms]
    if not all(sets) or len(set(sets)) < 2:
        return None
    nested = any(mine < theirs for mine in sets for theirs in sets)
    return m.node(Kind.OP, [m.merge(*syms)], text="losses compared", compares=_NONE.union(*sets), nested=nested)


def rivals(test: Any) -> tuple[Node, ...]:
    """Return the comparisons of losses that a condition was made of."""
    node = test.node if isinstance(test, Sym) else None
    if node is None:
        return ()
    return tuple(n for n in ancestors(node, into_state=False, stop=_LOSS, cap=NEAR) if "compares" in n.info)


def among(found: tuple[Node, ...], value: Any) -> Node | None:
    """Return the comparison that looked at a loss which a value is made of."""
    if not found or not isinstance(value, Sym) or not value.mark & Mark.NLL:
        return None
    own = losses_of(value.node)
    return next((node for node in found if own & node.info["compares"]), None)


@contextmanager
def choosing(m: Machine, test: Any) -> Iterator[tuple[Node, ...]]:
    """Run both sides of an undecided condition; remember the losses that it compares."""
    found = rivals(test)
    if not found:
        yield found
        return
    m.choices.append(found)
    try:
        yield found
    finally:
        m.choices.pop()


def going_on(m: Machine, found: tuple[Node, ...], left: Exception | None, right: Exception | None) -> None:
    """Remember for the rest of an iteration that one side of a comparison of losses has left it."""
    leaves = [isinstance(side, (BreakSignal, ContinueSignal)) for side in (left, right)]
    if found and any(leaves) and not all(leaves) and m.frame.loops:
        m.frame.loops[-1].choices.append(found)


def preferred(m: Machine, value: Any) -> Any:
    """Return a value as it is stored: behind an event where it was chosen by a comparison of what it is made of."""
    if not m.choices and not any(loop.choices for loop in m.frame.loops):
        return value
    active = [*m.choices, *[found for loop in m.frame.loops for found in loop.choices]]
    return _behind(m, value, tuple(node for found in active for node in found))


def _behind(m: Machine, value: Any, found: tuple[Node, ...]) -> Any:
    """Return a value with the losses in it behind an event of choosing, where one of the comparisons looked at them."""
    if type(value) in (tuple, list, dict):
        old = list(value.values()) if type(value) is dict else list(value)
        new = [_behind(m, part, found) for part in old]
        if all(mine is theirs for mine, theirs in zip(new, old, strict=True)):
            return value
        return dict(zip(value, new, strict=True)) if type(value) is dict else type(value)(new)
    by = among(found, value)
    if by is None:
        return value
    made = Sym(choice(m, value.node, by), shape=value.shape, val=value.val, pos=value.pos, keys=value.keys)
    made.mark, made.name, made.attrs = value.mark, value.name, value.attrs
    return made


def choice(m: Machine, node: Node | None, by: Node, text: str = "a comparison of losses") -> Node:
    """Return an event of choosing by a comparison of losses."""
    return m.node(Kind.SELECT, [node], text=text, by_loss=True, by=by)


def extreme(m: Machine, node: Node | None, losses: Iterable[Any], name: str, region: Region) -> Node:
    """Return the event of taking the lowest (or highest, or middle) of losses; `region` is what the result holds."""
    by = compared(m, *losses) if "min" in name and not region else None
    if by is not None:
        return choice(m, node, by, name)
    return m.node(Kind.SELECT, [node], text=name, by_loss=True, region=region)


def first_of(m: Machine, items: list[Any], keys: list[Any]) -> Any:
    """Return what stands for the one of several items whose key is lowest: chosen, where the keys are losses."""
    by = compared(m, *keys)
    return items[0] if by is None else _behind(m, items[0], (by,))


def by_own_value(composition: Composition, learned: list[Learned]) -> Iterator[Node]:
    """Yield the choices among losses, by a loss, of which the number is made; those of whole evaluations are not."""
    counted = Region.union(score.counted for score in composition.scores)
    chosen = [node for node in composition.selects if node.info.get("by_loss")]
    about = {n.index: _about(n.info["by"], learned) & counted for n in chosen if "by" in n.info}
    whole = [group for group in _groups(about.values()) if group.count >= WHOLE_SHARE * counted.count]
    for node in chosen:
        region = about.get(node.index, node.region)
        of_whole = "by" in node.info and not node.info["by"].info["nested"] and any(_meet(region, g) for g in whole)
        if region and not of_whole:
            yield node


def _about(by: Node, learned: list[Learned]) -> Region:
    """Return the positions whose losses a comparison looked at."""
    return learned[by.index].losses


def _groups(regions: Iterable[Region]) -> list[Region]:
    """Join regions that are about the same text."""
    groups: list[Region] = []
    for region in {region.spans: region for region in regions if region}.values():
        same = [group for group in groups if _meet(region, group)]
        groups = [group for group in groups if group not in same]
        groups.append(Region.union([region, *same]))
    return groups


def _meet(first: Region, second: Region) -> bool:
    return (first & second).count > TOGETHER * min(first.count, second.count)
