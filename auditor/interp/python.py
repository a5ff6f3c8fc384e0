"""Builtins and standard-library calls that the interpreter evaluates itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from auditor.interp import environ
from auditor.interp.effects import path_text, record_print
from auditor.interp.machine import Machine
from auditor.interp.objects import glob_one, make_path, open_file, path_method, write_file
from auditor.interp.reflection import REFLECTION
from auditor.interp.sequences import SEQUENCES, Args, Kwargs, int_of
from auditor.interp.sorts import of_plain, summed
from auditor.interp.told import truth_of
from auditor.interp.values import MISSING, External, Instance, Partial, Sym, Text


def _number(kind: Callable[[Any], Any]) -> Callable[[Machine, Args, Kwargs], Any]:
    def convert(m: Machine, a: Args, k: Kwargs) -> Any:
        value = a[0] if a else 0
        if isinstance(value, Sym):
            if value.val is not None and value.val.size == 1 and value.pos is None:
                return kind(value.val.reshape(-1)[0])
            made = summed(m, value, Sym(value.node, shape=(), mark=value.mark, name="scalar"))
            made = of_plain(made, value, kind)
            if value.pos is not None and value.pos.size == 1:
                made.pos = value.pos.reshape(())
                made.keys = tuple(key.reshape(()) for key in value.keys if key.size == 1)
            return made
        if isinstance(value, str) and len(a) > 1 and isinstance(a[1], int) and kind is int:
            try:
                return int(value, a[1])
            except ValueError:
                return Sym(name="scalar")
        for tried in (value, environ.misread(m, value)):
            try:
                return kind(tried)
            except (TypeError, ValueError, OverflowError):
                continue
        return m.unknown(value)

    return convert


def _str(m: Machine, a: Args, k: Kwargs) -> Any:
    value = a[0] if a else ""
    if isinstance(value, (str, int, float, bool, type(None))):
        return str(value)
    if isinstance(value, Instance) and value.library == "pathlib.Path":
        return value.attrs["path"]
    return value if isinstance(value, Text) else Text((value if isinstance(value, Sym) else m.unknown(value),))


def _bool(m: Machine, a: Args, k: Kwargs) -> Any:
    from auditor.interp.expressions import truth

    value = a[0] if a else False
    known = truth(m, value)
    return truth_of(m, value) if known is None else known


def _open(m: Machine, a: Args, k: Kwargs) -> Any:
    return open_file(m, path_text(a[0]) if a else "")


def _math(name: str) -> Callable[[Machine, Args, Kwargs], Any]:
    function = getattr(math, name)

    def compute(m: Machine, a: Args, k: Kwargs) -> Any:
        values = [int_of(v) for v in a]
        if all(isinstance(v, (int, float)) for v in values):
            if name in ("factorial", "comb", "perm") and any(abs(v) > 1000 for v in values):
                return Sym(name="scalar")
            try:
                return function(*values)
            except (TypeError, ValueError, OverflowError, ZeroDivisionError):
                return Sym(name="scalar")
        from auditor.interp.operators import elementwise

        made = elementwise(m, a)
        made.name = "scalar"
        return made

    return compute


def _glob(m: Machine, a: Args, k: Kwargs) -> Any:
    text = path_text(a[0]) if a else ""
    if text.endswith(("/*.bin", "/**/*.bin")):
        return [text.replace("*", f"fineweb_{split}_000000") for split in ("train", "val")]
    return [glob_one(text)] if text else [Text((Sym(name="path"),))]


def _join_path(m: Machine, a: Args, k: Kwargs) -> Any:
    parts = [path_text(v) for v in a]
    return "/".join(part for part in parts if part)


def _exists(m: Machine, a: Args, k: Kwargs) -> Any:
    return path_method(m, make_path(path_text(a[0]) if a else ""), "exists", (), {})


def _partial(m: Machine, a: Args, k: Kwargs) -> Any:
    return Partial(a[0], tuple(a[1:]), k) if a else None


def _field(m: Machine, a: Args, k: Kwargs) -> Any:
    made = Instance(None, "dataclasses.field")
    made.attrs.update(k)
    return made


def _shallow_copy(m: Machine, a: Args, k: Kwargs) -> Any:
    """Model copy.copy: a container or object of its own with the same contents; a tensor still shares its storage."""
    source = a[0] if a else None
    if isinstance(source, Instance):
        made = Instance(source.cls, source.library)
        made.attrs.update(source.attrs)
        return made
    return source.copy() if isinstance(source, (dict, list, set)) else source


def _replace(m: Machine, a: Args, k: Kwargs) -> Any:
    """Model dataclasses.replace: a copy of the object with changed fields."""
    source = a[0] if a else None
    if not isinstance(source, Instance):
        return m.unknown(*a, *k.values())
    made = Instance(source.cls, source.library)
    made.attrs.update({**source.attrs, **k})
    if made.cls is not None and made.cls.lookup("__post_init__") is not MISSING:
        from auditor.interp.calls import call_method

        call_method(m, made, "__post_init__", ())
    return made


def _json_dump(m: Machine, a: Args, k: Kwargs) -> Any:
    from auditor.interp.expressions import text_of

    parts: list[Any] = []
    _json_parts(a[0] if a else None, parts)
    text = text_of(parts)
    record_print(m, tuple(parts), "json")
    if len(a) > 1:
        write_file(m, path_text(a[1]), text)
    return text


def _json_parts(value: Any, parts: list[Any], depth: int = 4) -> None:
    if isinstance(value, dict) and depth:
        for key, item in list(value.items())[:80]:
            parts.append(f"{key if isinstance(key, str) else ''}: ")
            _json_parts(item, parts, depth - 1)
            parts.append("\n")
    elif isinstance(value, (list, tuple)) and depth:
        for item in list(value)[:16]:
            _json_parts(item, parts, depth - 1)
    elif isinstance(value, Text):
        parts.extend(value.parts)
    else:
        parts.append(value if isinstance(value, Sym) else str(value) if isinstance(value, (str, int, float)) else "")


def _namespace(m: Machine, a: Args, k: Kwargs) -> Any:
    made = Instance(None, "namespace")
    made.attrs.update(k)
    return made


def _buffer(m: Machine, a: Args, k: Kwargs) -> Any:
    made = Instance(None, "file")
    made.attrs["path"] = f"<buffer {m.ident()}>"
    if a:
        made.attrs["content"] = a[0]
    return made


def _exit(m: Machine, a: Args, k: Kwargs) -> Any:
    from auditor.interp.machine import RaiseSignal

    if m.maybe:
        return None
    raise RaiseSignal("SystemExit", m.span)


def _abs(m: Machine, a: Args, k: Kwargs) -> Any:
    value = a[0] if a else 0
    return abs(value) if isinstance(value, (int, float)) else m.unknown(value)


def _round(m: Machine, a: Args, k: Kwargs) -> Any:
    if a and isinstance(a[0], (int, float)) and all(isinstance(v, int) for v in a[1:]):
        try:
            return round(*a[:2])
        except (ValueError, OverflowError):
            return Sym(name="scalar")
    return m.unknown(*a)


FUNCTIONS: dict[str, Callable[[Machine, Args, Kwargs], Any]] = {
    **SEQUENCES,
    **REFLECTION,
    "builtins.int": _number(int),
    "builtins.float": _number(float),
    "builtins.str": _str,
    "builtins.repr": _str,
    "builtins.bool": _bool,
    "builtins.open": _open,
    "builtins.abs": _abs,
    "builtins.round": _round,
    "builtins.exit": _exit,
    "builtins.quit": _exit,
    "sys.exit": _exit,
    "os.environ.get": lambda m, a, k: environ.read(m, a[0] if a else None, a[1] if len(a) > 1 else k.get("default")),
    "os.getenv": lambda m, a, k: environ.read(m, a[0] if a else None, a[1] if len(a) > 1 else k.get("default")),
    "os.environ.setdefault": lambda m, a, k: environ.set_default(m, *a[:2]) if len(a) > 1 else None,
    "os.environ.__contains__": lambda m, a, k: environ.contains(m, a[0] if a else None),
    "os.path.join": _join_path,
    "os.path.exists": _exists,
    "os.path.isfile": _exists,
    "os.path.isdir": _exists,
    "os.path.basename": lambda m, a, k: path_text(a[0]).rsplit("/", 1)[-1] if a else "",
    "os.path.dirname": lambda m, a, k: path_text(a[0]).rpartition("/")[0] if a else "",
    "os.path.abspath": lambda m, a, k: a[0] if a else "",
    "os.path.realpath": lambda m, a, k: a[0] if a else "",
    "os.path.expanduser": lambda m, a, k: a[0] if a else "",
    "pathlib.Path": lambda m, a, k: make_path("/".join(path_text(v) for v in a) if a else "."),
    "glob.glob": _glob,
    "glob.iglob": _glob,
    "functools.partial": _partial,
    "functools.wraps": lambda m, a, k: External("pgolf.identity.functools.wraps"),
    "dataclasses.field": _field,
    "dataclasses.replace": _replace,
    "json.dumps": _json_dump,
    "json.dump": _json_dump,
    "json.loads": lambda m, a, k: m.unknown(*a),
    "io.BytesIO": _buffer,
    "io.StringIO": _buffer,
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
    "copy.copy": _shallow_copy,
    **{
        f"math.{name}": _math(name)
        for name in [
            "log",
            "log2",
            "log10",
            "exp",
            "sqrt",
            "ceil",
            "floor",
            "cos",
            "sin",
            "tan",
            "tanh",
            "pow",
            "fabs",
            "gcd",
            "log1p",
            "isfinite",
            "isnan",
            "isinf",
            "prod",
            "fsum",
            "comb",
        ]
        if hasattr(math, name)
    },
}
