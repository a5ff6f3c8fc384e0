"""Comprehensions: like loops, those over plain numbers are walked and the others are sampled."""

from __future__ import annotations

import ast
from typing import Any

from auditor.interp.assign import assign
from auditor.interp.iterate import elements, left_out
from auditor.interp.machine import Machine
from auditor.interp.plain import PLAIN_ERRORS, plain_expression
from auditor.interp.values import Scope, Sym

COMPREHENSION_ITERATIONS = 3_000

COMPREHENSION_EVENTS = 4


def comprehend(m: Machine, e: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Any:
    """Evaluate a comprehension in a scope of its own; generators are lists here."""
    frame = m.frame
    outer = frame.scope
    frame.scope = Scope(outer)
    found: list[Any] = []
    try:
        _generate(m, e, 0, found)
    finally:
        frame.scope = outer
    if isinstance(e, ast.DictComp):
        return _as_dict(m, found)
    if isinstance(e, ast.SetComp):
        try:
            return set(found)
        except TypeError:
            return m.unknown(*found)
    return found


def _as_dict(m: Machine, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key, value in pairs:
        try:
            made[key] = value
        except TypeError:
            made[Sym(m.merge(key))] = value
    return made


def _generate(m: Machine, e: Any, depth: int, found: list[Any]) -> None:
    from auditor.interp.expressions import evaluate

    generator = e.generators[depth]
    iterable = evaluate(m, generator.iter)
    count, items = elements(m, iterable)
    index, start = 0, len(m.nodes)
    plain = None
    while index < count:
        assign(m, generator.target, items(index))
        if index == 1 and count > COMPREHENSION_EVENTS and len(m.nodes) == start:
            plain = _plain_element(m, e)
        plain = plain if plain is not None and _plain_step(m, plain, found) else None
        if plain is None:
            _element(m, e, depth, found)
        index += 1
        eventful = len(m.nodes) - start > 8
        limit = COMPREHENSION_EVENTS if eventful else COMPREHENSION_ITERATIONS
        if limit <= index < count - 1:
            if isinstance(iterable, list) and isinstance(getattr(e, "elt", None), ast.Name):
                left_out(iterable[index : count - 1])
            index = count - 1


def _element(m: Machine, e: Any, depth: int, found: list[Any]) -> None:
    from auditor.interp.expressions import evaluate, truth

    for condition in e.generators[depth].ifs:
        if truth(m, evaluate(m, condition)) is False:
            return
    if depth + 1 < len(e.generators):
        _generate(m, e, depth + 1, found)
    elif isinstance(e, ast.DictComp):
        found.append((evaluate(m, e.key), evaluate(m, e.value)))
    else:
        found.append(evaluate(m, e.elt))


def _plain_element(m: Machine, e: Any) -> tuple[Any, ...] | None:
    """Return (element, conditions...) as closures over plain numbers, for the comprehensions that list windows."""
    if isinstance(e, ast.DictComp) or len(e.generators) > 1:
        return None
    made = tuple(plain_expression(m, part, e.generators[0].target) for part in (e.elt, *e.generators[0].ifs))
    return None if None in made else made


def _plain_step(m: Machine, plain: tuple[Any, ...], found: list[Any]) -> bool:
    variables = m.frame.scope.variables
    m.tick(len(plain))
    try:
        for condition in plain[1:]:
            if not condition(variables):
                return True
        found.append(plain[0](variables))
    except PLAIN_ERRORS:
        return False
    return True
