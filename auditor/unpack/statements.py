"""Walk the statements of a shim in order, as far as they are needed to know which text it runs.

Control flow that cannot be decided is walked on both sides and what the sides disagree on becomes unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from auditor.unpack import calls, expressions, sinks
from auditor.unpack.methods import binary
from auditor.unpack.state import State
from auditor.unpack.values import UNKNOWN, Const, FileValue, Function, Mapping_, Namespace, Ref, Sequence_, Value

Scope = dict[str, Value]
_SMALL = 60
"""Statements up to which a function is followed although no sink can be reached from it: decoders are short."""

BREAK: Final = "break"
CONTINUE: Final = "continue"
Signal = tuple[str, Value] | None


def run(state: State, body: Sequence[ast.stmt], scope: Scope) -> Signal:
    """Walk a block; returns ("return" | "break" | "continue" | "maybe", value) or None where it ends normally."""
    for statement in body:
        state.step()
        handler = _STATEMENTS.get(type(statement))
        if handler is None:
            _other(state, statement, scope)
            continue
        signal: Signal = handler(state, statement, scope)
        if signal is not None:
            return signal
    return None


def call_function(state: State, function: Function, args: Sequence[Value], kwargs: dict[str, Value]) -> Value:
    """Walk the body of a function of the shim and return its value."""
    node = function.node
    if state.depth >= state.limits.call_depth:
        return UNKNOWN
    if isinstance(node, ast.FunctionDef) and node.name not in state.relevant and _length(node) > _SMALL:
        return UNKNOWN
    scope: Scope = dict(function.scope)
    for name in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
        scope[name.arg] = UNKNOWN
    positional = [*node.args.posonlyargs, *node.args.args]
    if node.args.defaults:
        pairs = zip(positional[-len(node.args.defaults) :], node.args.defaults, strict=False)
        scope.update({arg.arg: expressions.evaluate(state, default, state.variables) for arg, default in pairs})
    for arg, given in zip(positional, args, strict=False):
        scope[arg.arg] = given
    scope.update(kwargs)
    if node.args.vararg:
        scope[node.args.vararg.arg] = Sequence_(list(args[len(positional) :]), "tuple")
    state.depth += 1
    try:
        if isinstance(node, ast.Lambda):
            return expressions.evaluate(state, node.body, scope)
        for name_ in _declared_global(node):
            scope.pop(name_, None)
        signal = run(state, node.body, scope)
    finally:
        state.depth -= 1
    if signal is None:
        return Const(None)
    return signal[1] if signal[0] == "return" else UNKNOWN


def _length(node: ast.stmt) -> int:
    return sum(isinstance(child, ast.stmt) for child in ast.walk(node))


def _idle(state: State, node: ast.For | ast.While) -> bool:
    """Tell whether a loop is too long for a decoder and can reach no sink: its rounds need not be walked."""
    if _length(node) <= _SMALL:
        return False
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    names |= {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}
    return not names & (state.relevant | sinks.NAMES - {"eval"})


def _declared_global(node: ast.AST) -> set[str]:
    return {name for child in ast.walk(node) if isinstance(child, (ast.Global, ast.Nonlocal)) for name in child.names}


def bind(state: State, target: ast.expr, value: Value, scope: Scope, *, local: bool = False) -> None:
    """Assign a value to a target."""
    if isinstance(target, ast.Name):
        scope[target.id] = value
    elif isinstance(target, (ast.Tuple, ast.List)):
        try:
            items = list(calls.elements(state, value))
        except LookupError:
            items = []
        starred = any(isinstance(element, ast.Starred) for element in target.elts)
        if starred or len(items) != len(target.elts):
            items = [UNKNOWN] * len(target.elts)
        for element, item in zip(target.elts, items, strict=True):
            inner = element.value if isinstance(element, ast.Starred) else element
            bind(state, inner, item, scope, local=local)
    elif isinstance(target, ast.Subscript):
        owner, index = (
            expressions.evaluate(state, target.value, scope),
            expressions.evaluate(state, target.slice, scope),
        )
        if isinstance(owner, Namespace) and owner.owner is None and isinstance(index, Const):
            state.variables[str(index.value)] = value
        elif isinstance(owner, Mapping_):
            if isinstance(index, Const):
                owner.items[index.value] = value
            else:
                owner.items.clear()
                owner.complete = False
        elif isinstance(owner, Sequence_):
            owner.items[:] = [UNKNOWN]
    elif isinstance(target, ast.Attribute):
        expressions.evaluate(state, target.value, scope)


def _other(state: State, statement: ast.stmt, scope: Scope) -> None:
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.expr) and not isinstance(child, ast.Name):
            expressions.evaluate(state, child, scope)


def _import(state: State, node: ast.Import, scope: Scope) -> Signal:
    for alias in node.names:
        if alias.asname:
            scope[alias.asname] = Ref(alias.name)
        else:
            top = alias.name.partition(".")[0]
            scope[top] = Ref(top)
    return None


def _import_from(state: State, node: ast.ImportFrom, scope: Scope) -> Signal:
    for alias in node.names:
        if alias.name == "*":
            for name in _STAR.get(node.module or "", ()):
                scope[name] = Ref(f"{node.module}.{name}")
            continue
        full = f"{node.module}.{alias.name}" if node.module and not node.level else f".{alias.name}"
        known = calls.environment_value(state, full)
        scope[alias.asname or alias.name] = Ref(full) if known is None else known
    return None


_STAR = {
    "base64": ("b85decode", "b64decode", "a85decode", "b32decode", "b16decode"),
    "zlib": ("decompress",),
    "lzma": ("decompress", "FORMAT_RAW", "FORMAT_XZ", "FORMAT_ALONE", "FILTER_LZMA2", "FILTER_LZMA1"),
    "bz2": ("decompress",),
}


def _assign(state: State, node: ast.Assign, scope: Scope) -> Signal:
    value = expressions.evaluate(state, node.value, scope)
    for target in node.targets:
        bind(state, target, value, scope)
    return None


def _annotated(state: State, node: ast.AnnAssign, scope: Scope) -> Signal:
    if node.value is not None:
        bind(state, node.target, expressions.evaluate(state, node.value, scope), scope)
    return None


def _augmented(state: State, node: ast.AugAssign, scope: Scope) -> Signal:
    right = expressions.evaluate(state, node.value, scope)
    if isinstance(node.target, ast.Name):
        current = expressions.evaluate(
            state, ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target), scope
        )
        scope[node.target.id] = binary(state, node.op, current, right)
    else:
        bind(state, node.target, UNKNOWN, scope)
    return None


def _expression(state: State, node: ast.Expr, scope: Scope) -> Signal:
    expressions.evaluate(state, node.value, scope)
    return None


def _define(state: State, node: ast.FunctionDef, scope: Scope) -> Signal:
    closure = {} if scope is state.variables else dict(scope)
    scope[node.name] = UNKNOWN if node.decorator_list else Function(node, closure)
    if node.name not in state.relevant and _length(node) > _SMALL:
        for name in _declared_global(node):
            state.variables[name] = UNKNOWN
    return None


def _class(state: State, node: ast.ClassDef, scope: Scope) -> Signal:
    run(state, [s for s in node.body if not isinstance(s, ast.FunctionDef)], dict(scope))
    scope[node.name] = UNKNOWN
    return None


def _return(state: State, node: ast.Return, scope: Scope) -> Signal:
    return ("return", expressions.evaluate(state, node.value, scope))


def _if(state: State, node: ast.If, scope: Scope) -> Signal:
    test = expressions.truth(expressions.evaluate(state, node.test, scope))
    if isinstance(test, Const):
        return run(state, node.body if test.value else node.orelse, scope)
    return _either(state, [node.body, node.orelse], scope)


def _either(state: State, branches: Sequence[Sequence[ast.stmt]], scope: Scope) -> Signal:
    """Walk every branch from the same scope and join what they leave."""
    results: list[Scope] = []
    signals: list[Signal] = []
    held = [value for value in {**state.variables, **scope}.values() if isinstance(value, (Sequence_, Mapping_))]
    before = [list(value.items) for value in held]
    for branch in branches:
        copy = dict(scope)
        signals.append(run(state, branch, copy))
        if signals[-1] is None or signals[-1][0] == "maybe":
            results.append(copy)
    for name in {name for result in results for name in result}:
        values = [result.get(name, UNKNOWN) for result in results]
        same = all(value is values[0] or value == values[0] for value in values[1:])
        scope[name] = values[0] if same else UNKNOWN
    for value, items in zip(held, before, strict=True):
        if list(value.items) != items:
            _poison(value)
    if all(signal is None for signal in signals):
        return None
    if all(signal is not None for signal in signals):
        first = signals[0]
        return first if all(signal == first for signal in signals) else ("return", UNKNOWN)
    return None if state.depth == 0 else ("maybe", UNKNOWN)


def _poison(value: Sequence_ | Mapping_) -> None:
    if isinstance(value, Sequence_):
        value.items[:] = [UNKNOWN]
    else:
        value.items.clear()
        value.complete = False


def _try(state: State, node: ast.Try, scope: Scope) -> Signal:
    imports = all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in node.body)
    signal = run(state, node.body, scope)
    if not imports:
        for handler in node.handlers:
            _either(state, [handler.body, []], scope)
    if signal is None:
        signal = run(state, node.orelse, scope)
    final = run(state, node.finalbody, scope)
    return final or signal


def _with(state: State, node: ast.With, scope: Scope) -> Signal:
    for item in node.items:
        value = expressions.evaluate(state, item.context_expr, scope)
        if isinstance(value, FileValue) and any(flag in value.mode for flag in "wx"):
            value.position = 0
        if item.optional_vars is not None:
            bind(state, item.optional_vars, value, scope)
    return run(state, node.body, scope)


def _for(state: State, node: ast.For, scope: Scope) -> Signal:
    try:
        items = list(calls.elements(state, expressions.evaluate(state, node.iter, scope)))
        if _idle(state, node):
            raise LookupError("not followed")
    except LookupError:
        _unknown_loop(state, node, scope)
        return None
    for item in items:
        bind(state, node.target, item, scope)
        signal = run(state, node.body, scope)
        if signal is not None and signal[0] != CONTINUE:
            return None if signal[0] == BREAK else signal
    return run(state, node.orelse, scope)


def _while(state: State, node: ast.While, scope: Scope) -> Signal:
    rounds = 0 if _idle(state, node) else state.limits.fold_loop
    for _ in range(rounds):
        test = expressions.truth(expressions.evaluate(state, node.test, scope))
        if not isinstance(test, Const):
            break
        if not test.value:
            return run(state, node.orelse, scope)
        signal = run(state, node.body, scope)
        if signal is not None and signal[0] != CONTINUE:
            return None if signal[0] == BREAK else signal
    _unknown_loop(state, node, scope)
    return None


def _unknown_loop(state: State, node: ast.For | ast.While, scope: Scope) -> None:
    """Walk a loop body once for its sinks; everything that it assigns or fills is unknown before and after."""
    touched = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)}
    for child in ast.walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            value = child.func.value
            if isinstance(value, ast.Name) and isinstance(scope.get(value.id), (Sequence_, Mapping_)):
                touched.add(value.id)
    scope.update(dict.fromkeys(touched, UNKNOWN))
    run(state, node.body, scope)
    scope.update(dict.fromkeys(touched, UNKNOWN))


def _break(state: State, node: ast.Break, scope: Scope) -> Signal:
    return (BREAK, UNKNOWN)


def _continue(state: State, node: ast.Continue, scope: Scope) -> Signal:
    return (CONTINUE, UNKNOWN)


def _delete(state: State, node: ast.Delete, scope: Scope) -> Signal:
    for target in node.targets:
        if isinstance(target, ast.Name):
            scope.pop(target.id, None)
    return None


_STATEMENTS: dict[type[ast.stmt], Callable[[State, Any, Scope], Signal]] = {
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _expression,
    ast.FunctionDef: _define,
    ast.ClassDef: _class,
    ast.Return: _return,
    ast.If: _if,
    ast.Try: _try,
    ast.With: _with,
    ast.For: _for,
    ast.While: _while,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Delete: _delete,
}
