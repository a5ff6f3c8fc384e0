"""Evaluate expressions of a shim to known constants. What is not modelled is UNKNOWN; nothing is executed."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Sequence
from typing import Any

from auditor.unpack import calls, filesystem, methods, sinks, statements
from auditor.unpack.state import State
from auditor.unpack.values import (
    UNKNOWN,
    Code,
    Const,
    FileValue,
    Function,
    Mapping_,
    Method,
    ModuleValue,
    Namespace,
    PathValue,
    Ref,
    Sequence_,
    Spec,
    Trail,
    Value,
)

Scope = dict[str, Value]

_BUILTIN_TYPES = {"str", "bytes", "int", "list", "tuple", "dict", "bytearray"}


def evaluate(state: State, node: ast.expr | None, scope: Scope) -> Value:
    """Return the value of an expression in a scope (locals; globals are `state.variables`)."""
    state.step()
    if node is None:
        return Const(None)
    handler = _EXPRESSIONS.get(type(node))
    if handler is None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                evaluate(state, child, scope)
        return UNKNOWN
    result: Value = handler(state, node, scope)
    return result


def _constant(state: State, node: ast.Constant, scope: Scope) -> Value:
    if isinstance(node.value, (str, bytes)):
        if len(node.value) > 64:
            state.hold(len(node.value))
            return Const(node.value, Trail(origin=state.literal_range(node)))
        return Const(node.value)
    return methods.lift(node.value)


def lookup(state: State, name: str, scope: Scope) -> Value:
    """Return the value of a name: local, global, then builtin."""
    if name in scope:
        return scope[name]
    if name in state.variables:
        return state.variables[name]
    if name == "__builtins__":
        return Ref("builtins")
    return Ref(f"builtins.{name}")


def _name(state: State, node: ast.Name, scope: Scope) -> Value:
    return lookup(state, node.id, scope)


def _attribute(state: State, node: ast.Attribute, scope: Scope) -> Value:
    return attribute(state, evaluate(state, node.value, scope), node.attr)


def attribute(state: State, owner: Value, name: str) -> Value:
    """Return an attribute of a value."""
    if isinstance(owner, Ref):
        if name == "__dict__":
            return owner
        full = f"{owner.name.removeprefix('builtins.')}.{name}" if _is_type(owner) else f"{owner.name}.{name}"
        known = calls.environment_value(state, full)
        return Ref(full) if known is None else known
    if isinstance(owner, PathValue):
        return filesystem.path_attribute(owner, name)
    if isinstance(owner, (Spec, ModuleValue)):
        if name == "__dict__":
            return Namespace(owner)
        if name == "loader":
            return owner
        if name in ("name", "__name__"):
            return owner.name
    if isinstance(owner, FileValue) and name == "name":
        return Const(owner.path)
    if owner is UNKNOWN:
        return UNKNOWN
    return Method(owner, name)


def _is_type(ref: Ref) -> bool:
    return ref.name.startswith("builtins.") and ref.name[9:] in _BUILTIN_TYPES


def _call(state: State, node: ast.Call, scope: Scope) -> Value:
    state.visited.add(id(node))
    function = evaluate(state, node.func, scope)
    args: list[Value] = []
    starred = False
    for arg in node.args:
        if isinstance(arg, ast.Starred):
            try:
                args += calls.elements(state, evaluate(state, arg.value, scope))
            except LookupError:
                starred = True
        else:
            args.append(evaluate(state, arg, scope))
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluate(state, keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, Mapping_) and value.complete:
            kwargs.update({str(key): item for key, item in value.items.items()})
        else:
            starred = True
    if starred:
        args, kwargs = [UNKNOWN], {}
    return apply(state, node, function, args, kwargs, scope)


def apply(
    state: State, node: ast.Call, function: Value, args: Sequence[Value], kwargs: dict[str, Value], scope: Scope
) -> Value:
    """Apply a function value to arguments, recording a sink where it runs code."""
    if isinstance(function, Function):
        return statements.call_function(state, function, args, kwargs)
    if isinstance(function, Ref):
        name = function.name
        ran = sinks.record(state, node, name, args, kwargs, scope)
        if ran is not None:
            return ran
        if name == "builtins.map":
            return _map(state, node, args, scope)
        if name == "builtins.setattr" and len(args) == 3:
            return Const(None)
        result = calls.call(state, name, args, kwargs)
        if result is UNKNOWN and not calls.modelled(name):
            _constructor = name.endswith(("Decompressor", "decompressobj"))
            if _constructor and (not args or name == "zlib.decompressobj"):
                return Method(Sequence_(list(args), "tuple"), f"{name}()") if args else Ref(f"{name}()")
            _forget(args, kwargs)
        return result
    if isinstance(function, Method):
        return _method(state, node, function, args, kwargs, scope)
    if isinstance(function, (Spec, ModuleValue, Namespace, Code)) or function is UNKNOWN:
        _forget(args, kwargs)
    return UNKNOWN


def _forget(args: Sequence[Value], kwargs: dict[str, Value]) -> None:
    """An unmodelled call may change what it was given: lists and dicts are unknown afterwards."""
    for value in [*args, *kwargs.values()]:
        if isinstance(value, Sequence_) and value.kind == "list":
            value.items[:] = [UNKNOWN]
        elif isinstance(value, Mapping_):
            value.items.clear()
            value.complete = False


def _map(state: State, node: ast.Call, args: Sequence[Value], scope: Scope) -> Value:
    if len(args) != 2:
        return UNKNOWN
    try:
        return Sequence_([apply(state, node, args[0], [item], {}, scope) for item in calls.elements(state, args[1])])
    except LookupError:
        return UNKNOWN


def _method(
    state: State, node: ast.Call, method: Method, args: Sequence[Value], kwargs: dict[str, Value], scope: Scope
) -> Value:
    owner, name = method.owner, method.name
    if isinstance(owner, Method) and owner.name == "zlib.decompressobj()" and isinstance(owner.owner, Sequence_):
        return calls.call(state, "zlib.decompress", [*args[:1], *owner.owner.items[:1]], {})
    if isinstance(owner, Spec):
        return sinks.load_spec(state, node, owner, name, args)
    if isinstance(owner, FileValue):
        return filesystem.file_method(state, owner, name, args)
    if isinstance(owner, PathValue):
        return filesystem.path_method(state, owner, name, args, kwargs)
    if isinstance(owner, Const) and isinstance(owner.value, bytes) and name in ("read", "getvalue", "getbuffer"):
        return owner if not args else methods.subscript(owner, UNKNOWN, (Const(None), args[0], Const(None)))
    result = methods.call_method(state, owner, name, args, kwargs)
    if result is UNKNOWN:
        _forget(args, kwargs)
    return result


def _binary(state: State, node: ast.BinOp, scope: Scope) -> Value:
    left, right = evaluate(state, node.left, scope), evaluate(state, node.right, scope)
    if isinstance(node.op, ast.Div) and (isinstance(left, PathValue) or isinstance(right, PathValue)):
        try:
            return PathValue(posixpath.join(calls.path_text(left), calls.path_text(right)))
        except LookupError:
            return UNKNOWN
    return methods.binary(state, node.op, left, right)


def _unary(state: State, node: ast.UnaryOp, scope: Scope) -> Value:
    value = evaluate(state, node.operand, scope)
    if isinstance(node.op, ast.Not):
        return truth(value, negate=True)
    if isinstance(value, Const) and isinstance(value.value, int):
        number = value.value
        return Const({ast.USub: -number, ast.UAdd: +number, ast.Invert: ~number}[type(node.op)])
    return UNKNOWN


def truth(value: Value, negate: bool = False) -> Value:
    """Return the truth of a value as a constant, UNKNOWN where it is not known."""
    if isinstance(value, Const):
        return Const(bool(value.value) is not negate)
    if isinstance(value, Sequence_) and UNKNOWN not in value.items:
        return Const(bool(value.items) is not negate)
    if isinstance(value, (Function, PathValue, Code, ModuleValue)):
        return Const(not negate)
    return UNKNOWN


def _boolean(state: State, node: ast.BoolOp, scope: Scope) -> Value:
    result: Value = UNKNOWN
    for index, part in enumerate(node.values):
        result = evaluate(state, part, scope)
        known = truth(result)
        if not isinstance(known, Const):
            for rest in node.values[index + 1 :]:
                evaluate(state, rest, scope)
            return UNKNOWN
        if known.value is isinstance(node.op, ast.Or):
            return result
    return result


def _comparison(state: State, node: ast.Compare, scope: Scope) -> Value:
    left = evaluate(state, node.left, scope)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(state, comparator, scope)
        result = methods.compare(op, left, right)
        if not isinstance(result, Const) or not result.value:
            return result
        left = right
    return Const(True)


def _conditional(state: State, node: ast.IfExp, scope: Scope) -> Value:
    test = truth(evaluate(state, node.test, scope))
    if isinstance(test, Const):
        return evaluate(state, node.body if test.value else node.orelse, scope)
    first, second = evaluate(state, node.body, scope), evaluate(state, node.orelse, scope)
    return first if first == second else UNKNOWN


def _subscript(state: State, node: ast.Subscript, scope: Scope) -> Value:
    owner = evaluate(state, node.value, scope)
    if isinstance(node.slice, ast.Slice):
        part = node.slice
        bounds = (
            evaluate(state, part.lower, scope),
            evaluate(state, part.upper, scope),
            evaluate(state, part.step, scope),
        )
        return methods.subscript(owner, UNKNOWN, bounds)
    index = evaluate(state, node.slice, scope)
    if isinstance(owner, (Ref, Namespace)) and isinstance(index, Const) and isinstance(index.value, str):
        if isinstance(owner, Namespace):
            return lookup(state, index.value, {}) if owner.owner is None else UNKNOWN
        return Ref(index.value) if owner.name == "sys.modules" else attribute(state, owner, index.value)
    return methods.subscript(owner, index, None)


def _display(state: State, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
    items: list[Value] = []
    for element in node.elts:
        if isinstance(element, ast.Starred):
            try:
                items += calls.elements(state, evaluate(state, element.value, scope))
            except LookupError:
                return UNKNOWN
        else:
            items.append(evaluate(state, element, scope))
    return Sequence_(items, "tuple" if isinstance(node, ast.Tuple) else "list")


def _dictionary(state: State, node: ast.Dict, scope: Scope) -> Value:
    items = {}
    complete = True
    for key, value in zip(node.keys, node.values, strict=True):
        known = evaluate(state, key, scope) if key is not None else UNKNOWN
        item = evaluate(state, value, scope)
        if isinstance(known, Const):
            items[known.value] = item
        else:
            complete = False
    return Mapping_(items, complete)


def _joined(state: State, node: ast.JoinedStr, scope: Scope) -> Value:
    parts: list[Value] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = evaluate(state, part.value, scope)
            simple = part.conversion == -1 and part.format_spec is None
            parts.append(calls.call(state, "builtins.str", [value], {}) if simple else UNKNOWN)
        else:
            parts.append(evaluate(state, part, scope))
    return methods.call_method(state, Const(""), "join", [Sequence_(parts)], {})


def _comprehension(state: State, node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> Value:
    results: list[Value] = []

    def level(index: int, inner: Scope) -> None:
        if index == len(node.generators):
            results.append(evaluate(state, node.elt, inner))
            return
        generator = node.generators[index]
        for item in list(calls.elements(state, evaluate(state, generator.iter, inner))):
            statements.bind(state, generator.target, item, inner, local=True)
            tests = [truth(evaluate(state, test, inner)) for test in generator.ifs]
            if any(not isinstance(test, Const) for test in tests):
                raise LookupError("unknown filter")
            if all(isinstance(test, Const) and test.value for test in tests):
                level(index + 1, inner)

    try:
        level(0, dict(scope))
    except LookupError:
        return UNKNOWN
    return Sequence_(results)


def _lambda(state: State, node: ast.Lambda, scope: Scope) -> Value:
    return Function(node, dict(scope))


def _named(state: State, node: ast.NamedExpr, scope: Scope) -> Value:
    value = evaluate(state, node.value, scope)
    target = state.variables if node.target.id not in scope and scope is state.variables else scope
    target[node.target.id] = value
    return value


_EXPRESSIONS: dict[type[ast.expr], Callable[[State, Any, Scope], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _comparison,
    ast.IfExp: _conditional,
    ast.Subscript: _subscript,
    ast.List: _display,
    ast.Tuple: _display,
    ast.Set: _display,
    ast.Dict: _dictionary,
    ast.JoinedStr: _joined,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
}
