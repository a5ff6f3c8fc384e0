"""Places where a shim runs code: exec, eval, runpy, loaders, other interpreters. Each becomes a `Sink`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from auditor.unpack import expressions
from auditor.unpack.calls import path_text
from auditor.unpack.state import HOME, Sink, State, absolute, shipped
from auditor.unpack.values import (
    UNKNOWN,
    Code,
    Const,
    Namespace,
    Sequence_,
    Spec,
    Value,
)

_CODE_OBJECTS = frozenset(("marshal.loads", "marshal.load", "types.FunctionType", "types.CodeType"))
_PROCESSES = frozenset(
    (
        *(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")),
        *(f"os.{name}" for name in ("execv", "execve", "execvp", "execvpe", "execl", "execlp", "system", "popen")),
    )
)
NAMES = frozenset(
    (
        *("exec", "eval", "run_path", "run_module", "runpy", "exec_module", "load_module", "spec_from_file_location"),
        *("SourceFileLoader", "FunctionType", "CodeType", "marshal", "__builtins__", "builtins"),
        *("execv", "execve", "execvp", "execvpe", "execl", "execlp", "InteractiveInterpreter"),
    )
)
"""Names that can lead to running text; a script that has none of them is no shim."""


def record(
    state: State, node: ast.Call, name: str, args: Sequence[Value], kwargs: dict[str, Value], scope: dict[str, Value]
) -> Value | None:
    """Record a sink where `name` is one and return the call's value; None where it is none."""
    if name in ("builtins.exec", "builtins.eval"):
        return _execute(state, node, name, args, kwargs, scope)
    if name == "runpy.run_path":
        return _run_file(state, node, "runpy", args[0] if args else kwargs.get("path_name", UNKNOWN))
    if name == "runpy.run_module":
        _add(state, node, "runpy", reason="a module is run by name")
        return UNKNOWN
    if name in _CODE_OBJECTS:
        _add(state, node, name, reason=f"{name}() makes code that has no source")
        return UNKNOWN
    if name in _PROCESSES:
        return _process(state, node, name, args)
    return None


def _execute(
    state: State, node: ast.Call, name: str, args: Sequence[Value], kwargs: dict[str, Value], scope: dict[str, Value]
) -> Value:
    kind = name.rpartition(".")[2]
    source = args[0] if args else UNKNOWN
    if isinstance(source, Code):
        source = source.source
    content = source if isinstance(source, Const) and isinstance(source.value, (str, bytes)) else None
    if kind == "eval" and content is not None:
        return _evaluate_text(state, content, scope)
    where = args[1] if len(args) > 1 else kwargs.get("globals")
    module = _module_name(where)
    reason = "" if content is not None else f"{kind}() of text that cannot be decoded statically"
    _add(state, node, kind, content=content, module=module, reason=reason)
    return Const(None)


def _evaluate_text(state: State, content: Const, scope: dict[str, Value]) -> Value:
    try:
        tree = ast.parse(content.value, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return UNKNOWN
    return expressions.evaluate(state, tree.body, scope)


def _module_name(where: Value | None) -> str | None:
    if isinstance(where, Namespace) and where.owner is not None:
        name = where.owner.name
        return str(name.value) if isinstance(name, Const) else "?"
    return None


def _run_file(state: State, node: ast.Call, kind: str, target: Value) -> Value:
    try:
        path = path_text(target)
    except LookupError:
        _add(state, node, kind, reason="it runs a file whose path is not known")
        return UNKNOWN
    content = state.read(path)
    if isinstance(content, Const):
        relative = shipped(path) if absolute(path) not in state.written else None
        _add(state, node, kind, content=content, path=relative)
    elif absolute(path) in state.written:
        _add(state, node, kind, reason="it runs a file that it has written, whose content cannot be decoded")
    else:
        shown = absolute(path).removeprefix(HOME + "/").removeprefix("/checkout/")
        _add(state, node, kind, reason=f"it runs {shown}, which the submission does not ship")
    return UNKNOWN


def load_spec(state: State, node: ast.Call, spec: Spec, name: str, args: Sequence[Value]) -> Value:
    """Record exec_module()/load_module() of a module made from a file; other methods do nothing."""
    if name not in ("exec_module", "load_module"):
        return UNKNOWN
    label = spec.name.value if isinstance(spec.name, Const) else "?"
    before = len(state.sinks)
    _run_file(state, node, "importlib", spec.path)
    if label != "__main__":
        sink = state.sinks[before]
        state.sinks[before] = Sink(
            sink.kind, sink.line, sink.column, sink.content, str(label), sink.path, sink.reason, sink.node
        )
    return spec


def _process(state: State, node: ast.Call, name: str, args: Sequence[Value]) -> Value:
    """Record a Python file that another interpreter runs; other commands are no business of the unpacker."""
    words: list[Value] = []
    for arg in args:
        if isinstance(arg, Sequence_):
            words += arg.items
        elif isinstance(arg, Const) and isinstance(arg.value, str):
            words += [Const(word) for word in arg.value.split()]
    for word in words:
        try:
            path = path_text(word)
        except LookupError:
            continue
        if path.endswith(".py") and state.read(path) is not UNKNOWN and absolute(path) != state.own_path():
            _run_file(state, node, "process", word)
            break
    return UNKNOWN


def _add(
    state: State,
    node: ast.Call,
    kind: str,
    *,
    content: Const | None = None,
    module: str | None = None,
    path: str | None = None,
    reason: str = "",
) -> None:
    sink = Sink(kind, node.lineno, node.col_offset + 1, content, module, path, reason, node)
    if not any(old.node is node and old.content == content and old.module == module for old in state.sinks):
        state.sinks.append(sink)
