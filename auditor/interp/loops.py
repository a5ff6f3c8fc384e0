"""Loops: those over known integers are walked, those in which something happens are sampled: the first and the last."""

from __future__ import annotations

import ast
from typing import Any

from auditor.errors import BudgetExceeded
from auditor.frontend.walk import nodes
from auditor.interp.assign import assign
from auditor.interp.closures import Read
from auditor.interp.expressions import evaluate, truth
from auditor.interp.iterate import UNKNOWN_LENGTH, elements, left_out
from auditor.interp.join import join_values
from auditor.interp.machine import BreakSignal, ContinueSignal, Frame, Loop, Machine
from auditor.interp.plain import PLAIN_ERRORS, Plain, plain_body, plain_expression
from auditor.interp.values import Mark, Sym

PURE_ITERATIONS = 3_000
"""Iterations of a loop that only moves known integers about (window lists, document lists)."""
PLAIN_ITERATIONS = 12_000
"""The same for a compiled loop: it walks a whole list of windows, so that its counters stay those of the list."""
LOOP_STEPS = 60_000
"""Steps that one run of a loop over known integers may take before it is sampled as well."""
LOOP_TOTAL = 300_000
"""Steps of all runs of one loop together, beyond which it is sampled from its start."""
EVENT_ITERATIONS = 3
"""Iterations of a loop in which something happens to data, or that hangs on what is unknown: the first three, then
the last."""
PLAIN_WORTH = 8
"""Iterations from which on it pays to compile the body of a loop over plain numbers."""
EARLIER_ENDS = 8
"""Iterations, the latest ones, in which a loop may have ended that are remembered; look-ups try up to 16 orders, of
which a sampled loop follows four."""
KNOWN_ITERABLES = (list, tuple, range, str, bytes, dict, set, frozenset)
"""Values that are empty where they have no elements; of others it is not known."""


def run_for(m: Machine, s: ast.For | ast.AsyncFor) -> None:
    """Execute a for loop."""
    from auditor.interp.statements import execute

    iterable = evaluate(m, s.iter)
    count, items = elements(m, iterable)
    loop = Loop(s, m.ident())
    frame = m.frame
    frame.loops.append(loop)
    broken = skipped = eventful = False
    start_events, start_undecided, start_steps, index = m.eventful, m.undecided, m.steps, 0
    spent, plain = m.spent[id(s)], None
    try:
        while index < count:
            loop.iteration, loop.skipped = index, None
            loop.choices.clear()
            assign(m, s.target, items(index))
            if index == 1 and count > PLAIN_WORTH and not eventful:
                plain = plain_body(m, s.body, s.target)
            try:
                if plain is None or not plain.step(frame.scope.variables):
                    plain = None
                    execute(m, s.body)
            except ContinueSignal:
                pass
            except BreakSignal:
                broken = True
                break
            if loop.onward:
                _join_assigned(m, loop.onward)
                loop.onward.clear()
            index += 1
            eventful = m.eventful > start_events or m.undecided > start_undecided or m.flows is not None
            costly = index >= PURE_ITERATIONS or m.steps - start_steps > (LOOP_STEPS if spent < LOOP_TOTAL else 0)
            if index < count - 1 and (costly or eventful) and index >= EVENT_ITERATIONS:
                if isinstance(iterable, list) and _collects(s.body):
                    left_out(iterable[index : count - 1])
                index = count - 1
                skipped = True
    finally:
        m.spent[id(s)] += m.steps - start_steps
        _leave(frame.loops, loop)
    if type(iterable) is range and count > UNKNOWN_LENGTH and not (broken or loop.left):
        m.walked[loop.ident] = count
    _join_assigned(m, [*loop.onward, *loop.left])
    if skipped:
        _forget_counters(m, s.body)
    if skipped or (not count and not isinstance(iterable, KNOWN_ITERABLES)):
        _doubt(frame, s.body)
    if not broken and not _last_resort(frame, s.orelse):
        execute(m, s.orelse)


def _collects(body: list[ast.stmt]) -> bool:
    calls = (node.func for statement in body for node in nodes(statement) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Attribute) and called.attr in ("append", "extend") for called in calls)


def _tested(m: Machine, s: ast.While, test: Read | None) -> Any:
    if test is not None:
        try:
            return test(m.frame.scope.variables)
        except PLAIN_ERRORS:
            pass
    return evaluate(m, s.test)


def run_while(m: Machine, s: ast.While) -> None:
    """Execute a while loop; one whose condition is not known has two iterations."""
    from auditor.interp.statements import execute

    loop = Loop(s, m.ident())
    frame = m.frame
    frame.loops.append(loop)
    start_events, start_undecided, start_steps = m.eventful, m.undecided, m.steps
    spent = m.spent[id(s)]
    decided: bool | None = None
    plain: Plain | None = None
    test: Read | None = None
    try:
        while True:
            m.tick()
            decided = truth(m, _tested(m, s, test))
            if decided is False:
                # It came to its end by itself, so its counters are those of the run.
                loop.forced = False
            if decided is False or (decided is None and loop.iteration >= 2) or loop.forced:
                break
            eventful = m.eventful > start_events or m.undecided > start_undecided
            most = PURE_ITERATIONS if plain is None else PLAIN_ITERATIONS
            costly = loop.iteration >= most or m.steps - start_steps > (LOOP_STEPS if spent < LOOP_TOTAL else 0)
            loop.skipped = None
            loop.choices.clear()
            loop.forced = (costly or eventful) and loop.iteration >= EVENT_ITERATIONS
            if loop.iteration == 1 and decided and not eventful:
                plain = plain_body(m, s.body)
                test = plain_expression(m, s.test, s) if plain is not None else None
            try:
                if plain is None or loop.forced or not plain.step(frame.scope.variables):
                    plain = None
                    execute(m, s.body)
            except ContinueSignal:
                pass
            except BreakSignal:
                break
            if loop.onward:
                _join_assigned(m, loop.onward)
                loop.onward.clear()
            loop.iteration += 1
    finally:
        m.spent[id(s)] += m.steps - start_steps
        _leave(frame.loops, loop)
    _join_assigned(m, [*loop.onward, *loop.left])
    if loop.forced and isinstance(s.test, ast.Constant) and not _has_exit(s.body):
        raise BudgetExceeded(f"iterations of a loop that nothing leaves (line {s.lineno})", loop.iteration)
    if loop.forced:
        _forget_counters(m, s.body)
    if loop.forced or decided is None:
        _doubt(frame, s.body)
    if not _last_resort(frame, s.orelse):
        execute(m, s.orelse)


def _join_assigned(m: Machine, sets: list[dict[str, Any]]) -> None:
    """Join what the loop, or one iteration, would have left behind had it ended where it may have."""
    variables = m.frame.scope.variables
    for name, value in (item for assigned in sets[-EARLIER_ENDS:] for item in assigned.items()):
        variables[name] = join_values(m, value, variables[name]) if name in variables else value


def _doubt(frame: Frame, body: list[ast.stmt]) -> None:
    """Remember that a loop which may return was left early: what raises after it need not be reached."""
    frame.doubtful |= any(isinstance(node, ast.Return) for statement in body for node in nodes(statement))


def _last_resort(frame: Frame, orelse: list[ast.stmt]) -> bool:
    """Say whether a loop's `else` only raises: the run that printed the logs left the loop before."""
    return not frame.guarded and bool(orelse) and isinstance(orelse[-1], ast.Raise)


def _has_exit(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, (ast.Break, ast.Return, ast.Raise, ast.Yield)) for s in body for node in nodes(s))


def _forget_counters(m: Machine, body: list[ast.stmt]) -> None:
    """Make numbers unknown that a sampled loop counted up: with iterations left out, their value is not the run's."""
    for name in _counters(body):
        value = m.frame.scope.variables.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            m.frame.scope.variables[name] = Sym(shape=(), name="scalar", mark=Mark.COUNTED)


def _counters(body: list[ast.stmt]) -> set[str]:
    return {
        node.target.id
        for statement in body
        for node in nodes(statement)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    }


def _leave(loops: list[Loop], loop: Loop) -> None:
    while loops and loops.pop() is not loop:
        pass
