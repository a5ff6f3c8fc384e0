"""What statements do. One handler per syntax node; loops are sampled, undecided conditions take both branches."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from auditor.interp.assign import assign, assign_names, delete
from auditor.interp.choices import choosing, going_on, preferred
from auditor.interp.classes import make_class
from auditor.interp.doubt import one_side
from auditor.interp.drops import counted, skipping
from auditor.interp.expressions import evaluate, make_function, truth
from auditor.interp.imports import import_from, import_module
from auditor.interp.join import join_scopes, join_values
from auditor.interp.keep import branching_on
from auditor.interp.loops import run_for, run_while
from auditor.interp.machine import BreakSignal, ContinueSignal, Machine, RaiseSignal, ReturnSignal
from auditor.interp.operators import in_place
from auditor.interp.resets import after_first, rejoin, side
from auditor.interp.told import deciding
from auditor.interp.values import Instance, Sym


def execute(m: Machine, body: Iterable[ast.stmt]) -> None:
    """Execute statements in order."""
    for statement in body:
        m.steps += 1
        if m.steps > m.most_steps:
            m.tick(0)
        module = m.frames[-1].module
        span = module.spans.get(statement)
        if span is None:
            span = module.span(statement)
            m.reached.add((module.file, module.layer, statement.lineno))
        m.span = span
        handler = HANDLERS.get(type(statement))
        if handler is not None:
            handler(m, statement)


def _expr(m: Machine, s: ast.Expr) -> None:
    value = s.value
    if isinstance(value, ast.Yield):
        frame = m.frame
        if frame.yields is not None:
            frame.yields.append(evaluate(m, value.value) if value.value is not None else None)
        return
    if not isinstance(value, ast.Constant):
        evaluate(m, value)


def _assign(m: Machine, s: ast.Assign) -> None:
    value = preferred(m, evaluate(m, s.value))
    for target in s.targets:
        if m.world.empty and isinstance(target, ast.Name):
            function = m.frame.name.rsplit(".", 1)[-1]
            value = _emptied(value) if (function, target.id) in m.world.empty else value
        assign(m, target, value)


def _emptied(value: Any) -> Any:
    """Return a mask as the logs show it: it selects nothing, whatever it was made of."""
    if not isinstance(value, Sym) or value.shape is None:
        return value
    return Sym(shape=value.shape, val=np.broadcast_to(np.False_, value.shape))


def _ann_assign(m: Machine, s: ast.AnnAssign) -> None:
    if s.value is not None:
        assign(m, s.target, preferred(m, evaluate(m, s.value)))


def _aug_assign(m: Machine, s: ast.AugAssign) -> None:
    loads = m.frames[-1].module.loads
    load = loads.get(s)
    if load is None:
        load = loads[s] = ast.copy_location(_as_load(s.target), s.target)
    current = evaluate(m, load)
    if isinstance(s.target, ast.Attribute) and type(current) in (int, float) and any(f.loops for f in m.frames):
        # A counter kept across calls: loops are sampled, so that comparing it with a threshold says nothing.
        m.counters.add(s.target.attr)
    value = preferred(m, counted(m, evaluate(m, s.value)))
    assign(m, s.target, in_place(m, s.op, current, value, s.target))


def _as_load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.Attribute(target.value, target.attr, ast.Load())
    if isinstance(target, ast.Subscript):
        return ast.Subscript(target.value, target.slice, ast.Load())
    return target


def _return(m: Machine, s: ast.Return) -> None:
    raise ReturnSignal(preferred(m, evaluate(m, s.value)) if s.value is not None else None)


def _if(m: Machine, s: ast.If) -> None:
    test = evaluate(m, s.test)
    decided = truth(m, test)
    if not m.frame.guarded and isinstance(s.body[-1], ast.Raise):
        # A check that raises: the run that printed the logs passed it.
        execute(m, s.orelse)
        return
    if decided is not True and _forced(m) and _leaves_loop(s):
        decided = True
    if decided is not True and not m.frame.guarded and s.orelse and isinstance(s.orelse[-1], ast.Raise):
        # The last resort of a chain raises: the run took one of the branches before it.
        execute(m, s.body)
    elif decided is True:
        execute(m, s.body)
    elif decided is False:
        execute(m, s.orelse)
    else:
        with branching_on(m, test), deciding(m, test), choosing(m, test) as compared:
            sides = both(m, lambda: _side(m, test, s, s.body), lambda: _side(m, test, s, s.orelse))
        skipping(m, test, *sides)
        going_on(m, compared, *sides)


def _side(m: Machine, test: Any, s: ast.If, body: list[ast.stmt]) -> None:
    with one_side(m, test, s.test):
        execute(m, body)


def _forced(m: Machine) -> bool:
    loops = m.frame.loops
    return bool(loops) and loops[-1].forced


def _leaves_loop(s: ast.If) -> bool:
    """Say whether the body of this `if` breaks out of the loop that it stands in."""
    stack: list[ast.AST] = list(s.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Break, ast.Return)):
            return True
        if isinstance(node, (ast.For, ast.While, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        stack.extend(ast.iter_child_nodes(node))
    return False


def both(
    m: Machine, first: Callable[[], None], second: Callable[[], None]
) -> tuple[Exception | None, Exception | None]:
    """Run two branches of which one will be taken, join what they assigned, and return how each of them left.

    A branch that leaves (return, break, continue, raise) counts as not taken for what follows, unless both leave.
    """
    scope = m.frame.scope
    before = dict(scope.variables)
    m.maybe += 1
    m.undecided += 1
    try:
        with side(m) as one:
            left = _attempt(m, first)
        assigned = dict(scope.variables)
        scope.variables.clear()
        scope.variables.update(before)
        kept = after_first(one)
        with side(m) as other:
            right = _attempt(m, second)
        rejoin(m, kept, one, other)
    finally:
        m.maybe -= 1
    _keep_assigned(m, before, (left, assigned), (right, scope.variables))
    if left is None and right is None:
        join_scopes(m, scope, assigned)
    elif right is not None and left is None:
        scope.variables.clear()
        scope.variables.update(assigned)
    elif left is not None and right is not None:
        if isinstance(left, ReturnSignal) and isinstance(right, ReturnSignal):
            raise ReturnSignal(join_values(m, left.value, right.value))
        try:
            raise left if not isinstance(left, RaiseSignal) else right
        finally:
            # A signal knows the frames that it passed through: this one must not know the signal in turn.
            del left, right
    return left, right


def _keep_assigned(m: Machine, before: dict[str, Any], *sides: tuple[Exception | None, dict[str, Any]]) -> None:
    """Keep data that was assigned in a branch that leaves the iteration, where the other goes on: the loop joins it."""
    for (how, after), (other, _) in (sides, sides[::-1]):
        if not isinstance(how, (BreakSignal, ContinueSignal)) or type(other) is type(how) or not m.frame.loops:
            continue
        assigned = {
            name: value
            for name, value in after.items()
            if isinstance(value, Sym) and value.node is not None and before.get(name) is not value
        }
        if assigned:
            loop = m.frame.loops[-1]
            (loop.left if isinstance(how, BreakSignal) else loop.onward).append(assigned)


def _attempt(m: Machine, branch: Callable[[], None]) -> Exception | None:
    depth, loops = len(m.frames), len(m.frame.loops)
    try:
        branch()
    except (ReturnSignal, BreakSignal, ContinueSignal, RaiseSignal) as signal:
        del m.frames[depth:]
        del m.frame.loops[loops:]
        if isinstance(signal, ReturnSignal):
            m.frame.alternatives.append(signal.value)
        # What it passed through keeps those that hold it, and with them whole token streams.
        return signal.with_traceback(None)
    return None


def _with(m: Machine, s: ast.With | ast.AsyncWith) -> None:
    for item in s.items:
        manager = evaluate(m, item.context_expr)
        entered: Any = manager
        if isinstance(manager, Instance) and manager.cls is not None:
            from auditor.interp.calls import call_method

            entered = call_method(m, manager, "__enter__", ())
        elif isinstance(manager, list) and manager:
            entered = manager[0]
        if item.optional_vars is not None:
            assign(m, item.optional_vars, entered)
    execute(m, s.body)


def _try(m: Machine, s: ast.Try) -> None:
    depth = len(m.frames)
    frame = m.frame
    try:
        frame.guarded += 1
        try:
            execute(m, s.body)
        finally:
            frame.guarded -= 1
    except RaiseSignal as signal:
        del m.frames[depth:]
        handler = next(iter(s.handlers), None)
        if handler is None:
            execute(m, s.finalbody)
            raise
        if handler.name:
            assign_names(m, handler.name, Sym(name=signal.name))
        execute(m, handler.body)
        execute(m, s.finalbody)
        return
    except (ReturnSignal, BreakSignal, ContinueSignal):
        execute(m, s.finalbody)
        raise
    execute(m, s.orelse)
    execute(m, s.finalbody)


def _raise(m: Machine, s: ast.Raise) -> None:
    if s.exc is not None:
        evaluate(m, s.exc)
    name = ast.unparse(s.exc)[:80] if s.exc is not None else "re-raise"
    raise RaiseSignal(name, m.span)


def _function(m: Machine, s: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    assign_names(m, s.name, make_function(m, s))


def _class(m: Machine, s: ast.ClassDef) -> None:
    assign_names(m, s.name, make_class(m, s, execute))


def _assert(m: Machine, s: ast.Assert) -> None:
    evaluate(m, s.test)


def _global(m: Machine, s: ast.Global) -> None:
    m.frame.scope.globals.update(s.names)


def _nonlocal(m: Machine, s: ast.Nonlocal) -> None:
    m.frame.scope.nonlocals.update(s.names)


def _delete(m: Machine, s: ast.Delete) -> None:
    for target in s.targets:
        delete(m, target)


def _break(m: Machine, s: ast.Break) -> None:
    raise BreakSignal


def _continue(m: Machine, s: ast.Continue) -> None:
    raise ContinueSignal


def _match(m: Machine, s: Any) -> None:
    subject = evaluate(m, s.subject)
    for case in s.cases:
        pattern = case.pattern
        if type(pattern).__name__ == "MatchValue":
            wanted = evaluate(m, pattern.value)
            if isinstance(subject, Sym) or isinstance(wanted, Sym):
                both(m, lambda case=case: execute(m, case.body), lambda: None)  # type: ignore[misc]
                continue
            if subject == wanted:
                execute(m, case.body)
                return
        else:
            execute(m, case.body)
            return


HANDLERS: dict[type[ast.AST], Callable[[Machine, Any], None]] = {
    ast.Expr: _expr,
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _aug_assign,
    ast.Return: _return,
    ast.If: _if,
    ast.For: run_for,
    ast.AsyncFor: run_for,
    ast.While: run_while,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Raise: _raise,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Assert: _assert,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.Delete: _delete,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Import: import_module,
    ast.ImportFrom: import_from,
}
if hasattr(ast, "Match"):
    HANDLERS[ast.Match] = _match
if hasattr(ast, "TryStar"):
    HANDLERS[ast.TryStar] = _try
