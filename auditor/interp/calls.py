"""Calling things: submitted functions and classes are interpreted, library calls go to their models."""

from __future__ import annotations

import ast
from typing import Any

from auditor.errors import BudgetExceeded
from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.graph import Kind
from auditor.interp.machine import BreakSignal, ContinueSignal, Frame, Machine, RaiseSignal, ReturnSignal
from auditor.interp.values import (
    MISSING,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Mark,
    Partial,
    Scope,
    Sym,
)
from auditor.model.source import Span

CALLS_PER_FUNCTION = 4_000
"""Calls of one function that are followed; recursive walks over large structures would take the whole budget."""


def call(m: Machine, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call any value."""
    m.tick()
    if isinstance(function, Function):
        return call_function(m, function, args, kwargs)
    if isinstance(function, Bound):
        return _call_bound(m, function, args, kwargs)
    if isinstance(function, External):
        from auditor.interp.library import call_library

        return call_library(m, function.path, args, kwargs)
    if isinstance(function, Class):
        return instantiate(m, function, args, kwargs)
    if isinstance(function, Partial):
        return call(m, function.function, (*function.args, *args), {**function.kwargs, **kwargs})
    if isinstance(function, Instance):
        return _call_instance(m, function, args, kwargs)
    from auditor.interp.library import escapes

    if escapes(args, kwargs):
        m.note(Kind.UNMODELLED, "a callable that could not be resolved", [*args, *kwargs.values()], learns=True)
    return m.unknown(function, *args, *kwargs.values())


def _call_bound(m: Machine, bound: Bound, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    receiver = bound.receiver
    if isinstance(bound.function, Function):
        from auditor.interp.modules import is_neural, neural_call
        from auditor.interp.objects import OPTIMIZER

        optimizer = isinstance(receiver, Instance) and receiver.library == "torch.optim.Optimizer"
        if optimizer and bound.function.name in OPTIMIZER:
            # A submitted optimiser is taken by its contract: a step applies the gradients to its parameters.
            return OPTIMIZER[bound.function.name](m, receiver, args, kwargs)
        if isinstance(receiver, Instance) and is_neural(m, receiver, bound.function, args, kwargs):
            return neural_call(m, receiver, args, kwargs, bound.function.name)
        return call_function(m, bound.function, (receiver, *args), kwargs, receiver)
    from auditor.interp.methods import call_value_method

    return call_value_method(m, receiver, bound.function, args, kwargs)


def _call_instance(m: Machine, receiver: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from auditor.interp.effects import DIFFERENTIATED, differentiated
    from auditor.interp.modules import call_module, is_module

    if is_module(receiver):
        return call_module(m, receiver, args, kwargs)
    if receiver.cls is not None and receiver.cls.lookup("__call__") is not MISSING:
        return call_method(m, receiver, "__call__", args, kwargs)
    if receiver.library == DIFFERENTIATED:
        return differentiated(m, receiver, args, kwargs)
    return m.unknown(receiver, *args, *kwargs.values())


def call_method(
    m: Machine, receiver: Instance, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
) -> Any:
    """Call a method of an object by name; unknown where its class does not define it."""
    found = receiver.cls.lookup(name) if receiver.cls is not None else MISSING
    if isinstance(found, Function):
        return call_function(m, found, (receiver, *args), kwargs or {}, receiver)
    return m.unknown(receiver, *args)


def instantiate(m: Machine, cls: Class, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Create an object: run its `__init__`, or fill the fields of a dataclass, enum member or namespace."""
    made = Instance(cls)
    init = cls.lookup("__init__")
    if isinstance(init, Function):
        call_function(m, init, (made, *args), kwargs, made)
    else:
        names = _field_names(cls)
        made.attrs.update(zip(names, args, strict=False))
        made.attrs.update(kwargs)
        for name in names:
            if name not in made.attrs:
                default = cls.lookup(name)
                if isinstance(default, Instance) and default.library == "dataclasses.field":
                    factory = default.attrs.get("default_factory")
                    value = call(m, factory, (), {}) if factory is not None else default.attrs.get("default")
                    made.attrs[name] = value
        post = cls.lookup("__post_init__")
        if isinstance(post, Function):
            call_function(m, post, (made,), {}, made)
    external = cls.external_bases()
    if any(base.startswith("torch.nn.") and base.endswith(_LAYERS) for base in external):
        from auditor.interp.modules import parameter

        made.attrs.setdefault("weight", parameter(m, cls.name))
        made.attrs["weight"].mark |= Mark.OWNED
    if any(base.endswith("Optimizer") or ".optim." in base for base in external):
        made.library = "torch.optim.Optimizer"
        from auditor.interp.effects import groups_of

        made.attrs.setdefault("params", args[0] if args else kwargs.get("params"))
        made.attrs.setdefault("param_groups", groups_of(made.attrs["params"]))
    if made.library == "" and any(base.endswith("autograd.Function") for base in external):
        made.library = "torch.autograd.Function"
    from auditor.interp.classes import apply_overrides

    if not isinstance(init, Function) or _reads_settings(cls):
        apply_overrides(m, made.attrs)
    return made


_BRANCHES = (ast.If, ast.IfExp, ast.While, ast.For, ast.Try, ast.BoolOp, ast.comprehension)

_LAYERS = ("Linear", "Embedding", "LayerNorm", "RMSNorm", "Conv1d", "Parameter")


def _reads_settings(cls: Class) -> bool:
    if cls.reads_settings is None:
        cls.reads_settings = any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "parse_args")
            for node in nodes(cls.node)
        )
    return cls.reads_settings


def _field_names(cls: Class) -> list[str]:
    names: list[str] = []
    for base in cls.bases:
        if isinstance(base, Class):
            names.extend(_field_names(base))
    return [*names, *cls.fields]


WRAPPERS = 12
"""Functions made by one definition that may be active at once: decorated functions that call each other."""


def _is_cut(m: Machine, function: Function) -> bool:
    """Say whether a call is not followed (too deep, too often, recursion); a recursion without an end is an error."""
    m.called[id(function.node)] += 1
    if len(m.frames) >= m.limits.call_depth or m.called[id(function.node)] > CALLS_PER_FUNCTION:
        return True
    same = [frame.scope for frame in m.frames if frame.scope.names is function.node]
    # The wrappers that one decorator makes are one piece of syntax and many functions, each with a scope of its own.
    active = sum([scope.parent is function.scope for scope in same])
    if active >= 3 and not any(isinstance(node, _BRANCHES) for node in nodes(function.node)):
        raise BudgetExceeded(f"calls of a recursion without an end ({function.name})", active)
    return active >= 3 or len(same) >= WRAPPERS


def call_function(
    m: Machine, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], receiver: Any = None
) -> Any:
    """Interpret a submitted function; what it returns is wrapped so that its origin in this call can be seen."""
    if _is_cut(m, function):
        return m.unknown(*args, *kwargs.values())
    scope = Scope(function.scope)
    scope.names = function.node
    bind(m, function, scope, args, kwargs)
    owner = f"{function.owner.name}." if function.owner is not None else ""
    frame = Frame(m.ident(), owner + function.name, function.module, scope, receiver)
    generator = not isinstance(function.node, ast.Lambda) and _is_generator(function.node)
    if generator:
        frame.yields = []
    span, pushed = m.span, len(m.frames)
    m.frames.append(frame)
    if any(isinstance(value, Sym) and value.mark & Mark.NLL for value in scope.variables.values()):
        place = Span(function.module.file, function.module.layer, function.node.lineno)
        m.consumers[id(function.node)] = (function.node, frame.name, place)
    m.calls[frame.ident] = (frame.name, Span(function.module.file, function.module.layer, function.node.lineno))
    result: Any = None
    try:
        if isinstance(function.node, ast.Lambda):
            from auditor.interp.expressions import evaluate

            result = evaluate(m, function.node.body)
        else:
            from auditor.interp.statements import execute

            execute(m, function.node.body)
    except ReturnSignal as signal:
        result = signal.value
    except (BreakSignal, ContinueSignal):
        result = None
    except RaiseSignal as signal:
        returned = bool(frame.alternatives) or frame.doubtful
        if signal.name == "SystemExit" or (not returned and any(active.guarded for active in m.frames)):
            raise
        # The run that printed the logs did not end here: it returned before, where it may have, or else the stand-in
        # data did not pass a check of the program.
        if not returned:
            m.raised.append((signal.name, signal.span))
        result = None if frame.alternatives else m.unknown(*args, *kwargs.values())
    except RecursionError as error:
        raise BudgetExceeded("call depth of the interpreter", m.limits.call_depth) from error
    finally:
        del m.frames[pushed:]
        m.span = span
    if frame.yields is not None:
        return _drawn(frame.yields)
    if frame.alternatives:
        from auditor.interp.join import join_values

        for value in frame.alternatives[:8]:
            result = join_values(m, result, value)
    return _returned(m, function, frame, result)


def _drawn(items: list[Any]) -> Any:
    """Return what a generator gave: a range where it only counts, since a loop over a range is known to its end."""
    if len(items) <= _FEW or not all(type(item) is int for item in items):
        return items
    step = items[1] - items[0]
    counted = range(items[0], items[-1] + step, step) if step else range(0)
    return counted if list(counted) == items else items


_FEW = 4
"""Elements that may be the first and the last of a generator that was sampled."""


def _is_generator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    cached = getattr(node, "_pgolf_generator", None)
    if cached is None:
        cached = False
        # Most functions hold no yield at all; a nested function's is none of this one's.
        stack: list[ast.AST] = list(node.body) if nodes_of(node, ast.Yield, ast.YieldFrom) else []
        while stack:
            item = stack.pop()
            if isinstance(item, (ast.Yield, ast.YieldFrom)):
                cached = True
                break
            if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
                stack.extend(ast.iter_child_nodes(item))
        node._pgolf_generator = cached  # type: ignore[union-attr]
    return bool(cached)


def _returned(m: Machine, function: Function, frame: Frame, result: Any) -> Any:
    """Wrap numbers that a function returns in RETURN nodes; containers and objects pass through unchanged."""
    if _is_number(result):
        return _wrap(m, function, frame, result)
    if isinstance(result, tuple) and any(isinstance(item, Sym) for item in result) and len(result) <= 16:
        return tuple(_wrap(m, function, frame, item) if _is_number(item) else item for item in result)
    if isinstance(result, dict) and 0 < len(result) <= 64:
        for key, item in list(result.items()):
            if _is_number(item) and item.shape == ():
                result[key] = _wrap(m, function, frame, item)
    return result


_IDENTITY = Mark.PARAM | Mark.TABLE | Mark.STATE | Mark.TOKENS | Mark.LOGITS | Mark.HIDDEN


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, Sym)
        and value.node is not None
        and value.pos is None
        and value.shape in ((), None)
        and not value.mark & _IDENTITY
    )


def _wrap(m: Machine, function: Function, frame: Frame, value: Sym) -> Sym:
    made = Sym(
        m.node(Kind.RETURN, [value.node], text=frame.name, frame=frame.ident, line=function.node.lineno),
        shape=value.shape,
        val=value.val,
        mark=value.mark,
        name=value.name,
    )
    made.attrs, made.grad = value.attrs, value.grad
    return made


def bind(m: Machine, function: Function, scope: Scope, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Bind arguments to parameters; what is missing takes its default or is unknown."""
    spec = function.node.args
    positional = [*spec.posonlyargs, *spec.args]
    names = [arg.arg for arg in positional]
    variables = scope.variables
    for name, default in zip(names[len(names) - len(function.defaults) :], function.defaults, strict=False):
        variables[name] = default
    variables.update(function.kw_defaults)
    for name, value in zip(names, args, strict=False):
        variables[name] = value
    if spec.vararg is not None:
        variables[spec.vararg.arg] = tuple(args[len(names) :])
    known = {*names, *(arg.arg for arg in spec.kwonlyargs)}
    extra: dict[str, Any] = {}
    for name, value in kwargs.items():
        (variables if name in known else extra)[name] = value
    if spec.kwarg is not None:
        variables[spec.kwarg.arg] = extra
    for name in known:
        if name not in variables:
            variables[name] = Sym(name=name)
