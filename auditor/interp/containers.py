"""Methods of strings, lists, dictionaries, sets and plain numbers."""

from __future__ import annotations

from typing import Any

from auditor.interp.choices import preferred
from auditor.interp.drops import counted
from auditor.interp.machine import Machine
from auditor.interp.values import Sym, Text

CONTAINER_METHODS = {
    list: frozenset(
        ["append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "index", "count", "copy"]
    ),
    dict: frozenset(["get", "items", "keys", "values", "pop", "update", "setdefault", "clear", "copy", "popitem"]),
    set: frozenset(
        ["add", "discard", "remove", "update", "union", "intersection", "difference", "clear", "copy", "issubset"]
    ),
    str: frozenset(
        [
            "split",
            "strip",
            "lstrip",
            "rstrip",
            "lower",
            "upper",
            "join",
            "replace",
            "startswith",
            "endswith",
            "format",
            "find",
            "rfind",
            "index",
            "count",
            "encode",
            "splitlines",
            "title",
            "capitalize",
            "zfill",
            "isdigit",
            "isalpha",
            "isspace",
            "partition",
            "rpartition",
            "ljust",
            "rjust",
            "removeprefix",
            "removesuffix",
            "isalnum",
            "isupper",
            "islower",
            "casefold",
            "rsplit",
        ]
    ),
    bytes: frozenset(["decode", "startswith", "endswith", "split", "replace", "find", "hex", "count", "strip"]),
    tuple: frozenset(["index", "count"]),
    frozenset: frozenset(["union", "intersection", "difference", "issubset"]),
}


def number_method(m: Machine, receiver: float, name: str, args: tuple[Any, ...]) -> Any:
    """Call a method that tensors have as well: a plain number is its own item."""
    if name in ("item", "conjugate", "__int__", "__float__", "to", "cpu", "detach", "float", "astype"):
        return receiver
    if name == "bit_length" and isinstance(receiver, int):
        return receiver.bit_length()
    return m.unknown(receiver, *args)


def container_method(m: Machine, receiver: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of a container; unknown where Python refuses these arguments."""
    if name == "append" and args:
        args = (preferred(m, counted(m, args[0])),)
    if isinstance(receiver, str):
        return _string_method(m, receiver, name, args, kwargs)
    if isinstance(receiver, list) and name in ("extend", "sort"):
        return _list_method(m, receiver, name, args)
    if isinstance(receiver, dict) and name in ("get", "pop", "setdefault", "update"):
        return _dict_method(m, receiver, name, args, kwargs)
    try:
        result = getattr(receiver, name)(*args, **kwargs)
        return list(result) if name in ("items", "keys", "values") else result
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, UnicodeError, LookupError):
        return m.unknown(receiver, *args)


def _list_method(m: Machine, receiver: list[Any], name: str, args: tuple[Any, ...]) -> Any:
    from auditor.interp.iterate import elements

    if name == "sort":
        return None
    if args:
        count, item = elements(m, args[0])
        receiver.extend(item(i) for i in range(min(count, 8192)))
    return None


def _dict_method(m: Machine, receiver: dict[Any, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from auditor.interp.index import get_item, token_key

    if name == "update":
        if args and isinstance(args[0], dict):
            receiver.update(args[0])
        elif args and isinstance(args[0], Sym):
            receiver[args[0]] = args[0]
        receiver.update(kwargs)
        return None
    key, default = (args[0] if args else None), (args[1] if len(args) > 1 else None)
    if token_key(key) and receiver and name == "get":
        return get_item(m, receiver, key)
    unknown = isinstance(key, (Sym, Text))
    try:
        if not unknown and key in receiver:
            return receiver.pop(key) if name == "pop" else receiver[key]
    except TypeError:
        return m.unknown(receiver, *args)
    if not receiver or not unknown:
        if any(isinstance(k, (Sym, Text)) for k in receiver):
            return get_item(m, receiver, key)
        if name == "setdefault" and not unknown:
            receiver[key] = default
        return default
    found = get_item(m, receiver, key)
    if name == "setdefault":
        receiver.setdefault(key, default)
    if isinstance(default, (int, float)) or default is None:
        return found
    return found


def _string_method(m: Machine, receiver: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if any(isinstance(a, (Sym, Text)) for a in (*args, *kwargs.values())) or (
        name == "join" and args and isinstance(args[0], (list, tuple)) and not all(isinstance(p, str) for p in args[0])
    ):
        from auditor.interp.expressions import text_of

        if name == "join" and isinstance(args[0], (list, tuple)):
            parts: list[Any] = []
            for i, part in enumerate(args[0]):
                parts.extend(([receiver] if i else []) + [part if isinstance(part, (str, Text, Sym)) else str(part)])
            return text_of(parts)
        if name == "format":
            return _format(m, receiver, args, kwargs)
        return m.unknown(*args)
    if name in ("ljust", "rjust", "zfill") and args and isinstance(args[0], int) and args[0] > 10_000:
        return receiver
    try:
        return getattr(receiver, name)(*args, **kwargs)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, LookupError):
        return m.unknown(*args)


def _format(m: Machine, template: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    import string

    from auditor.interp.expressions import text_of

    parts: list[Any] = []
    turn = 0
    try:
        for literal, field, spec, _ in string.Formatter().parse(template):
            parts.append(literal)
            if field is None:
                continue
            value = kwargs.get(field) if field in kwargs else args[int(field) if field.isdigit() else turn]
            turn += 1
            parts.append(value if isinstance(value, (Sym, Text)) else format(value, spec or ""))
    except (ValueError, IndexError, TypeError):
        return m.unknown(*args, *kwargs.values())
    return text_of(parts)
