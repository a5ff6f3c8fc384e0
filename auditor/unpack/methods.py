"""Methods and operators on known constants, each with its size bounded before it is computed."""

from __future__ import annotations

import ast
import codecs as stdlib_codecs
import operator
from collections.abc import Callable, Sequence
from typing import Any

from auditor.errors import UnpackError
from auditor.unpack.codecs import decode_text
from auditor.unpack.state import State
from auditor.unpack.values import NO_TRAIL, UNKNOWN, Const, Mapping_, Sequence_, Trail, Value

_INT_BITS = 1 << 16
_PLAIN = frozenset(
    (
        *("strip", "lstrip", "rstrip", "lower", "upper", "swapcase", "split", "rsplit", "splitlines", "partition"),
        *("rpartition", "startswith", "endswith", "find", "rfind", "index", "rindex", "count", "encode", "decode"),
        *("removeprefix", "removesuffix", "hex", "isdigit", "tobytes"),
    )
)
_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.RShift: operator.rshift,
    ast.Div: operator.truediv,
}
_COMPARE: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, UnicodeError)


def plain(value: Value) -> Any:
    """Return the Python value of a fully known value; raises `LookupError` where a part is unknown."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Sequence_):
        items = [plain(item) for item in value.items]
        return tuple(items) if value.kind == "tuple" else items
    if isinstance(value, Mapping_):
        return {key: plain(item) for key, item in value.items.items()}
    raise LookupError("unknown")


def lift(value: Any, trail: Trail = NO_TRAIL) -> Value:
    """Wrap a Python value made of constants, lists, tuples and dicts."""
    if isinstance(value, (list, tuple)):
        return Sequence_([lift(item, trail) for item in value], "tuple" if isinstance(value, tuple) else "list")
    if isinstance(value, dict):
        return Mapping_({key: lift(item, trail) for key, item in value.items()})
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return Const(value, trail)
    return UNKNOWN


def size_of(value: Any) -> int:
    """Return a rough number of bytes of a constant."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() // 8
    return 0


def binary(state: State, op: ast.operator, left: Value, right: Value) -> Value:
    """Apply a binary operator to two values."""
    if isinstance(left, Sequence_) and isinstance(right, Sequence_) and isinstance(op, ast.Add):
        return Sequence_([*left.items, *right.items], left.kind)
    if not isinstance(left, Const) or not isinstance(right, Const):
        return UNKNOWN
    a, b = left.value, right.value
    if isinstance(op, ast.Mult):
        return _multiply(state, left, right)
    if isinstance(op, ast.LShift):
        small = isinstance(a, int) and isinstance(b, int) and 0 <= b < 4096 and a.bit_length() < _INT_BITS
        return Const(a << b) if small else UNKNOWN
    if isinstance(op, ast.Mod) and isinstance(a, (str, bytes)):
        return UNKNOWN
    function = _OPERATORS.get(type(op))
    if function is None:
        return UNKNOWN
    state.hold(size_of(a) + size_of(b))
    try:
        return lift(function(a, b), left.trail.joined(right.trail))
    except _ERRORS:
        return UNKNOWN


def _multiply(state: State, left: Const, right: Const) -> Value:
    a, b = left.value, right.value
    if isinstance(a, int) and isinstance(b, (str, bytes)):
        a, b = b, a
    if isinstance(a, (str, bytes)) and isinstance(b, int):
        state.hold(len(a) * max(b, 0))
        return Const(a * b, left.trail.joined(right.trail))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > _INT_BITS:
            return UNKNOWN
        return Const(a * b)
    return UNKNOWN


def compare(op: ast.cmpop, left: Value, right: Value) -> Value:
    """Apply one comparison."""
    try:
        return Const(bool(_COMPARE[type(op)](plain(left), plain(right))))
    except _ERRORS:
        return UNKNOWN


def subscript(value: Value, index: Value, bounds: tuple[Value, Value, Value] | None) -> Value:
    """Index (`bounds` None) or slice a known value."""
    try:
        if bounds is not None:
            part = slice(*(plain(bound) for bound in bounds))
            if isinstance(value, Sequence_):
                return Sequence_(value.items[part], value.kind)
            return lift(value.value[part], value.trail) if isinstance(value, Const) else UNKNOWN
        key = plain(index)
        if isinstance(value, (Sequence_, Mapping_)):
            item: Value = value.items[key]
            return item
        return lift(value.value[key], value.trail) if isinstance(value, Const) else UNKNOWN
    except _ERRORS:
        return UNKNOWN


def call_method(state: State, owner: Value, name: str, args: Sequence[Value], kwargs: dict[str, Value]) -> Value:
    """Call a method of a known string, bytes, list or dict; UNKNOWN where it is not modelled."""
    if isinstance(owner, Sequence_):
        return _list_method(state, owner, name, args)
    if isinstance(owner, Mapping_):
        return _dict_method(owner, name, args)
    if not isinstance(owner, Const) or not isinstance(owner.value, (str, bytes, int)):
        return UNKNOWN
    if name == "join" and isinstance(owner.value, (str, bytes)):
        return _join(state, owner, args)
    try:
        known = [plain(arg) for arg in args]
        named = {key: plain(arg) for key, arg in kwargs.items()}
        if name == "replace" and isinstance(owner.value, (str, bytes)):
            return _replace(state, owner, known)
        if name == "translate" and isinstance(owner.value, (str, bytes)):
            return _translate(state, owner, known, named)
        if name == "fromhex" and known:
            return Const(decode_text("hex", known[0]))
        if name == "to_bytes" and isinstance(owner.value, int) and known and known[0] > 1 << 24:
            return UNKNOWN
        if name in _PLAIN or name == "to_bytes":
            if name in ("encode", "decode"):
                _text_encoding(known, named)
            state.hold(size_of(owner.value))
            return lift(getattr(owner.value, name)(*known, **named), owner.trail)
    except (*_ERRORS, UnpackError):
        return UNKNOWN
    return UNKNOWN


def _text_encoding(args: list[Any], named: dict[str, Any]) -> None:
    name = args[0] if args else named.get("encoding", "utf-8")
    if not getattr(stdlib_codecs.lookup(name), "_is_text_encoding", False):
        raise ValueError("not a text encoding")


def _join(state: State, owner: Const, args: Sequence[Value]) -> Value:
    if len(args) == 1 and isinstance(args[0], Const) and owner.value == "" and isinstance(args[0].value, str):
        return args[0]
    if len(args) != 1 or not isinstance(args[0], Sequence_):
        return UNKNOWN
    trail, total = owner.trail, 0
    parts: list[str | bytes] = []
    for item in args[0].items:
        if not isinstance(item, Const) or not isinstance(item.value, type(owner.value)):
            return UNKNOWN
        parts.append(item.value)
        trail = trail.joined(item.trail)
        total += len(item.value) + len(owner.value)
    state.hold(total)
    return Const(owner.value.join(parts), trail)


def _replace(state: State, owner: Const, args: list[Any]) -> Value:
    old, new = args[0], args[1]
    state.hold(len(owner.value) + (owner.value.count(old) + 1) * len(new))
    return Const(owner.value.replace(*args), owner.trail)


def _translate(state: State, owner: Const, args: list[Any], named: dict[str, Any]) -> Value:
    table = args[0]
    longest = max((size_of(v) for v in table.values()), default=1) if isinstance(table, dict) else 1
    state.hold(len(owner.value) * max(longest if longest else 1, 1))
    return Const(owner.value.translate(*args, **named), owner.trail)


def _list_method(state: State, owner: Sequence_, name: str, args: Sequence[Value]) -> Value:
    if name == "append" and len(args) == 1:
        state.hold(65)
        owner.items.append(args[0])
        return Const(None)
    if name == "extend" and len(args) == 1 and isinstance(args[0], Sequence_):
        state.hold(64 * len(args[0].items))
        owner.items.extend(args[0].items)
        return Const(None)
    if name == "reverse" and not args:
        owner.items.reverse()
        return Const(None)
    if name == "pop" and owner.items and len(args) <= 1:
        try:
            return owner.items.pop(*(plain(arg) for arg in args))
        except _ERRORS:
            return UNKNOWN
    if name not in ("index", "count", "copy"):
        owner.items[:] = [UNKNOWN]
    return UNKNOWN


def _dict_method(owner: Mapping_, name: str, args: Sequence[Value]) -> Value:
    try:
        if name == "get":
            default = args[1] if len(args) > 1 else Const(None)
            return owner.items.get(plain(args[0]), default if owner.complete else UNKNOWN)
        if name in ("values", "keys", "items") and not owner.complete:
            return UNKNOWN
        if name == "values":
            return Sequence_(list(owner.items.values()))
        if name == "keys":
            return Sequence_([lift(key) for key in owner.items])
        if name == "items":
            return Sequence_([Sequence_([lift(key), item], "tuple") for key, item in owner.items.items()])
    except _ERRORS:
        return UNKNOWN
    owner.items.clear()
    owner.complete = False
    return UNKNOWN
