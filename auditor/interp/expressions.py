"""What expressions evaluate to. One handler per syntax node; unknown is a value."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from auditor.interp.assign import assign
from auditor.interp.attributes import get_attribute
from auditor.interp.calls import call
from auditor.interp.choices import choosing, preferred
from auditor.interp.comprehensions import comprehend
from auditor.interp.graph import Kind
from auditor.interp.index import get_item, make_slice
from auditor.interp.iterate import elements
from auditor.interp.join import join_values
from auditor.interp.machine import Machine
from auditor.interp.operators import binary, compare, settle, unary
from auditor.interp.sorts import said
from auditor.interp.told import decided, truth_of
from auditor.interp.values import MISSING, External, Function, Instance, Scope, Sym, Text


def evaluate(m: Machine, node: ast.expr) -> Any:
    """Evaluate an expression; a syntax node without a handler is unknown."""
    m.steps += 1
    if m.steps > m.most_steps:
        m.tick(0)
    kind = type(node)
    if kind is ast.Constant:
        return node.value  # type: ignore[attr-defined]
    handler = HANDLERS.get(kind)
    if handler is None:
        return Sym(name=type(node).__name__)
    return handler(m, node)


def truth(m: Machine, value: Any) -> bool | None:
    """Return True or False where the truth of a value is known, else None."""
    if type(value) is bool:
        return value
    if isinstance(value, Sym):
        if value.val is not None and value.val.size == 1:
            return bool(value.val.reshape(-1)[0])
        known = said(value)
        return None if known is None else bool(known[1])
    if isinstance(value, Text):
        return True if any(isinstance(part, str) and part for part in value.parts) else None
    if isinstance(value, External):
        return True
    if isinstance(value, Instance):
        return True
    try:
        return bool(value)
    except (TypeError, ValueError):
        return None


def lookup(m: Machine, name: str) -> Any:
    """Find a name along the scopes, then among the builtins; MISSING where nothing binds it."""
    frame = m.frames[-1]
    scope: Scope | None = frame.module.scope if name in frame.scope.globals else frame.scope
    while scope is not None:
        if name in scope.variables:
            return scope.variables[name]
        scope = scope.parent
    variables = frame.module.scope.variables
    if name in variables:
        return variables[name]
    return External(f"builtins.{name}") if name in BUILTIN_NAMES else MISSING


BUILTIN_NAMES = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


def _name(m: Machine, e: ast.Name) -> Any:
    value = lookup(m, e.id)
    if value is MISSING:
        if e.id == "__file__":
            return m.frame.module.file
        return Sym(name=e.id)
    return value


def _attribute(m: Machine, e: ast.Attribute) -> Any:
    return settle(get_attribute(m, evaluate(m, e.value), e.attr))


def _subscript(m: Machine, e: ast.Subscript) -> Any:
    return get_item(m, evaluate(m, e.value), evaluate(m, e.slice))


def _slice(m: Machine, e: ast.Slice) -> Any:
    lower = evaluate(m, e.lower) if e.lower is not None else None
    upper = evaluate(m, e.upper) if e.upper is not None else None
    return make_slice(lower, upper, evaluate(m, e.step) if e.step is not None else None)


def _call(m: Machine, e: ast.Call) -> Any:
    if isinstance(e.func, ast.Attribute):
        function = get_attribute(m, evaluate(m, e.func.value), e.func.attr)
    else:
        function = evaluate(m, e.func)
    args: list[Any] = []
    for argument in e.args:
        if isinstance(argument, ast.Starred):
            count, items = elements(m, evaluate(m, argument.value))
            args.extend(items(i) for i in range(min(count, 64)))
        else:
            args.append(evaluate(m, argument))
    kwargs: dict[str, Any] = {}
    for keyword in e.keywords:
        value = evaluate(m, keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, dict):
            kwargs.update({key: item for key, item in value.items() if isinstance(key, str)})
    m.span = m.frames[-1].module.span(e)
    return call(m, function, tuple(args), kwargs)


def _bin_op(m: Machine, e: ast.BinOp) -> Any:
    return binary(m, e.op, evaluate(m, e.left), evaluate(m, e.right))


def _unary_op(m: Machine, e: ast.UnaryOp) -> Any:
    value = evaluate(m, e.operand)
    if isinstance(e.op, ast.Not):
        known = truth(m, value)
        return truth_of(m, value) if known is None else not known
    return unary(m, e.op, value)


def _bool_op(m: Machine, e: ast.BoolOp) -> Any:
    wants = isinstance(e.op, ast.And)
    result: Any = None
    unknown: list[Any] = []
    for part in e.values:
        value = evaluate(m, part)
        known = truth(m, value)
        if known is None:
            unknown.append(value)
            continue
        result = value
        if known is not wants:
            if unknown and not wants and value is not True:
                return join_values(m, unknown[-1], value)
            return value
    if not unknown:
        return result
    if not wants:
        return unknown[-1] if result is None or result is False else join_values(m, unknown[-1], result)
    return truth_of(m, *unknown)


def _compare(m: Machine, e: ast.Compare) -> Any:
    left = evaluate(m, e.left)
    result: Any = True
    for op, right_node in zip(e.ops, e.comparators, strict=True):
        right = evaluate(m, right_node)
        value = compare(m, op, left, right)
        if m.counters and isinstance(value, bool) and _passes_threshold(m, e, left, right):
            return Sym(name="threshold")
        if value is False and _every(e) and m.frame.loops and m.flows is None:
            # "every so many iterations": a sampled loop does not reach the iteration, the run did.
            return Sym(name="every")
        if value is False:
            return False
        result = value if result is True else result
        left = right
    return result


THRESHOLD = 100
"""Numbers from which on a compared counter is taken to wait for enough data; smaller ones choose cases."""


def _passes_threshold(m: Machine, e: ast.Compare, left: Any, right: Any) -> bool:
    """Say whether a counter of a sampled loop is compared with a size that the whole run would pass."""
    for node, other in ((e.left, right), (e.comparators[0], left)):
        counted = isinstance(node, ast.Attribute) and node.attr in m.counters
        if counted and isinstance(other, (int, float)) and other >= THRESHOLD:
            return True
    return False


def _every(e: ast.Compare) -> bool:
    return (
        isinstance(e.left, ast.BinOp)
        and isinstance(e.left.op, ast.Mod)
        and isinstance(e.comparators[0], ast.Constant)
        and e.comparators[0].value == 0
    )


def _if_exp(m: Machine, e: ast.IfExp) -> Any:
    test = evaluate(m, e.test)
    known = truth(m, test)
    if known is True:
        return evaluate(m, e.body)
    if known is False:
        return evaluate(m, e.orelse)
    m.maybe += 1
    try:
        with choosing(m, test):
            first, second = preferred(m, evaluate(m, e.body)), preferred(m, evaluate(m, e.orelse))
    finally:
        m.maybe -= 1
    return decided(m, join_values(m, first, second), test)


def _tuple(m: Machine, e: ast.Tuple) -> Any:
    return tuple(_spread(m, e.elts))


def _list(m: Machine, e: ast.List) -> Any:
    return _spread(m, e.elts)


def _set(m: Machine, e: ast.Set) -> Any:
    try:
        return set(_spread(m, e.elts))
    except TypeError:
        return m.unknown(*_spread(m, e.elts))


def _spread(m: Machine, nodes: list[ast.expr]) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            count, items = elements(m, evaluate(m, node.value))
            found.extend(items(i) for i in range(min(count, 4096)))
        else:
            found.append(evaluate(m, node))
    return found


def _dict(m: Machine, e: ast.Dict) -> Any:
    made: dict[Any, Any] = {}
    for key_node, value_node in zip(e.keys, e.values, strict=True):
        value = evaluate(m, value_node)
        if key_node is None:
            if isinstance(value, dict):
                made.update(value)
            elif isinstance(value, Sym):
                made[value] = value
            continue
        key = evaluate(m, key_node)
        try:
            made[key] = value
        except TypeError:
            made[Sym(m.merge(key))] = value
    return made


def _joined_str(m: Machine, e: ast.JoinedStr) -> Any:
    parts: list[Any] = []
    for piece in e.values:
        if isinstance(piece, ast.Constant):
            parts.append(str(piece.value))
        elif isinstance(piece, ast.FormattedValue):
            parts.append(_formatted(m, piece))
    return text_of(parts)


def _formatted(m: Machine, e: ast.FormattedValue) -> Any:
    value = evaluate(m, e.value)
    if isinstance(value, (str, int, float, bool, type(None))):
        spec = evaluate(m, e.format_spec) if e.format_spec is not None else ""
        if isinstance(spec, str) and len(spec) < 24:
            try:
                shown = repr(value) if e.conversion == ord("r") else value
                return format(shown, spec)
            except (ValueError, TypeError):
                return Sym(name="text")
    return value if isinstance(value, (Sym, Text)) else Sym(m.merge(value), name="text")


def text_of(parts: list[Any]) -> Any:
    """Return a str where every part is known, else a Text."""
    flat: list[Any] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Text) else (part,))
    if all(isinstance(part, str) for part in flat):
        return "".join(flat)
    return Text(tuple(flat))


def _lambda(m: Machine, e: ast.Lambda) -> Any:
    return make_function(m, e)


def make_function(m: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Any:
    """Build a function value, evaluate its defaults now, and apply its decorators."""
    arguments = node.args
    defaults = tuple(evaluate(m, default) for default in arguments.defaults)
    kw_defaults = {
        arg.arg: evaluate(m, default)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    made: Any = Function(node, name, m.frame.module, m.frame.scope, defaults, kw_defaults)
    m.captured.append(m.frame.scope)
    if isinstance(node, ast.Lambda):
        return made
    for decorator in reversed(node.decorator_list):
        made = _decorate(m, made, evaluate(m, decorator))
    return made


def _decorate(m: Machine, made: Any, decorator: Any) -> Any:
    if isinstance(decorator, External) and isinstance(made, Function):
        kind = {"builtins.staticmethod": "static", "builtins.classmethod": "class", "builtins.property": "property"}
        made.kind = kind.get(decorator.path, "property" if decorator.path.endswith("cached_property") else made.kind)
        return made
    if isinstance(decorator, Function):
        wrapped = call(m, decorator, (made,), {})
        return wrapped if wrapped is not None and not isinstance(wrapped, Sym) else made
    return made


def _named(m: Machine, e: ast.NamedExpr) -> Any:
    value = evaluate(m, e.value)
    assign(m, e.target, value)
    return value


def _yield(m: Machine, e: ast.Yield) -> Any:
    if m.frame.yields is not None:
        m.frame.yields.append(evaluate(m, e.value) if e.value is not None else None)
    return None


def _yield_from(m: Machine, e: ast.YieldFrom) -> Any:
    count, items = elements(m, evaluate(m, e.value))
    if m.frame.yields is not None:
        m.frame.yields.extend(items(i) for i in range(min(count, 256)))
    return None


def _starred(m: Machine, e: ast.Starred) -> Any:
    return evaluate(m, e.value)


def _await(m: Machine, e: ast.Await) -> Any:
    m.note(Kind.UNMODELLED, "await")
    return evaluate(m, e.value)


HANDLERS: dict[type[ast.AST], Callable[[Machine, Any], Any]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.BinOp: _bin_op,
    ast.UnaryOp: _unary_op,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
    ast.IfExp: _if_exp,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.JoinedStr: _joined_str,
    ast.FormattedValue: _formatted,
    ast.Lambda: _lambda,
    ast.ListComp: comprehend,
    ast.SetComp: comprehend,
    ast.GeneratorExp: comprehend,
    ast.DictComp: comprehend,
    ast.NamedExpr: _named,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
    ast.Await: _await,
}
