"""Files and paths of a shim: reads see the shipped files, writes go to a virtual tree in memory. No disk is touched."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Sequence

from auditor.unpack import calls, methods
from auditor.unpack.state import State, absolute
from auditor.unpack.values import UNKNOWN, Const, FileValue, Method, PathValue, Sequence_, Value


def path_attribute(owner: PathValue, name: str) -> Value:
    """Return an attribute of a path; what is not modelled is a bound method."""
    path = owner.path
    if name == "parent":
        return PathValue(posixpath.dirname(absolute(path)))
    if name == "parents":
        parts, here = [], absolute(path)
        while here != "/":
            here = posixpath.dirname(here)
            parts.append(PathValue(here))
        return Sequence_(list(parts), "tuple")
    if name in ("name", "stem", "suffix"):
        base = posixpath.basename(path)
        stem, suffix = posixpath.splitext(base)
        return Const({"name": base, "stem": stem, "suffix": suffix}[name])
    return Method(owner, name)


def file_method(state: State, file: FileValue, name: str, args: Sequence[Value]) -> Value:
    """Call a method of an open file; writes go to the virtual tree."""
    if name in ("__enter__",):
        return file
    if name == "write" and args:
        content = args[0]
        if isinstance(content, Const) and isinstance(content.value, str):
            content = Const(content.value.encode("utf-8", "surrogatepass"), content.trail)
        before = state.written.get(absolute(file.path)) if file.position or "a" in file.mode else None
        joined = methods.binary(state, ast.Add(), before, content) if before is not None else content
        state.written[absolute(file.path)] = joined
        file.position = 1
        return UNKNOWN
    if name == "seek" and args and isinstance(args[0], Const) and isinstance(args[0].value, int):
        file.position = args[0].value
        return args[0]
    if name not in ("read", "readlines", "readline"):
        return UNKNOWN
    content = state.read(file.path)
    if isinstance(content, Const) and file.position > 0:
        content = Const(content.value[file.position :], content.trail)
    if args and name == "read":
        content = methods.subscript(content, UNKNOWN, (Const(None), args[0], Const(None)))
    elif name == "read" and isinstance(content, Const):
        file.position += len(content.value)
    if "b" not in file.mode:
        content = as_text(content)
    if name == "read" or not isinstance(content, Const):
        return content if name == "read" else UNKNOWN
    lines = content.value.splitlines(keepends=True)
    if name == "readlines":
        return methods.lift(lines, content.trail)
    file.position += len(lines[0]) if lines else 0
    return Const(lines[0] if lines else content.value, content.trail)


def path_method(state: State, owner: PathValue, name: str, args: Sequence[Value], kwargs: dict[str, Value]) -> Value:
    """Call a method of a path; reads see the virtual tree and the shipped files."""
    try:
        if name in ("resolve", "absolute", "expanduser"):
            return PathValue(absolute(owner.path))
        if name in ("as_posix", "__str__", "__fspath__"):
            return Const(owner.path)
        if name == "joinpath":
            return PathValue(posixpath.join(owner.path, *(calls.path_text(arg) for arg in args)))
        if name == "with_name":
            return PathValue(posixpath.join(posixpath.dirname(owner.path), calls.path_text(args[0])))
        if name == "with_suffix":
            return PathValue(posixpath.splitext(owner.path)[0] + calls.path_text(args[0]))
    except LookupError:
        return UNKNOWN
    if name == "read_bytes":
        return state.read(owner.path)
    if name == "read_text":
        return as_text(state.read(owner.path))
    if name == "open":
        return calls.call(state, "builtins.open", [owner, *args], kwargs)
    if name in ("write_text", "write_bytes") and args:
        return file_method(state, FileValue(owner.path, "w"), "write", args)
    if name in ("exists", "is_file"):
        known = state.read(owner.path) is not UNKNOWN
        return Const(True) if known else UNKNOWN
    return UNKNOWN


def as_text(value: Value) -> Value:
    """Decode known bytes as UTF-8 text with universal newlines, as open() in text mode does."""
    if isinstance(value, Const) and isinstance(value.value, bytes):
        try:
            text = value.value.decode("utf-8")
        except UnicodeDecodeError:
            return UNKNOWN
        return Const(text.replace("\r\n", "\n").replace("\r", "\n"), value.trail)
    return value
