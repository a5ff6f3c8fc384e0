"""Builtins and standard-library calls that the interpreter evaluates itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from auditor.interp import environ
from auditor.interp.attributes import get_attribute
from auditor.interp.effects import path_text, record_print
from auditor.interp.machine import Machine
from auditor.interp.objects import glob_one, make_path, open_file, path_method, write_file
from auditor.interp.sequences import SEQUENCES, int_of
from auditor.interp.values import (
    MISSING,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Partial,
    Sym,
    Text,
)

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


def _number(kind: Callable[[Any], Any]) -> Callable[[Machine, Args, Kwargs], Any]:
    def convert(m: Machine, a: Args, k: Kwargs) -> Any:
        value = a[0] if a else 0
        if isinstance(value, Sym):
            if value.val is not None and value.val.size == 1 and value.pos is None:
                return kind(value.val.reshape(-1)[0])
            made = Sym(value.node, shape=(), mark=value.mark, name="scalar")
            if value.pos is not None and value.pos.size == 1:
                made.pos = value.pos.reshape(())
                made.keys = tuple(key.reshape(()) for key in value.keys if key.size == 1)
            return made
        if isinstance(value, str) and len(a) > 1 and isinstance(a[1], int) and kind is int:
            try:
                return int(value, a[1])
            except ValueError:
                return Sym(name="scalar")
        try:
            return kind(value)
        except (TypeError, ValueError, OverflowError):
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
    return Sym(m.merge(value), shape=(), name="scalar") if known is None else known


def _isinstance(m: Machine, a: Args, k: Kwargs) -> Any:
    if len(a) < 2:
        return Sym(name="scalar")
    value, kinds = a[0], a[1] if isinstance(a[1], tuple) else (a[1],)
    answers: list[bool | None] = [_is_kind(value, kind) for kind in kinds]
    if True in answers:
        return True
    return Sym(name="scalar") if None in answers else False


def _is_kind(value: Any, kind: Any) -> bool | None:
    if isinstance(kind, Class):
        return isinstance(value, Instance) and (value.cls is kind or _inherits(value.cls, kind))
    if not isinstance(kind, External):
        return None
    tail = kind.path.rsplit(".", 1)[-1]
    if isinstance(value, Sym):
        return tail in ("Tensor", "ndarray") if value.shape is not None or value.mark else None
    plain = {
        "int": int,
        "float": float,
        "str": str,
        "bool": bool,
        "list": list,
        "tuple": tuple,
        "dict": dict,
        "bytes": bytes,
    }
    if tail in plain:
        return isinstance(value, plain[tail])
    if tail in ("Tensor", "ndarray"):
        return False
    if isinstance(value, Instance):
        if value.library.endswith("." + tail):
            return True
        bases = value.cls.external_bases() if value.cls is not None else ()
        return any(base.endswith("." + tail) for base in bases)
    return None if isinstance(value, External) else False


def _inherits(cls: Class | None, kind: Class) -> bool:
    return cls is not None and any(
        base is kind or (isinstance(base, Class) and _inherits(base, kind)) for base in cls.bases
    )


def _getattr(m: Machine, a: Args, k: Kwargs) -> Any:
    if len(a) < 2 or not isinstance(a[1], str):
        return m.unknown(*a)
    if len(a) > 2 and not _has(a[0], a[1]):
        return a[2]
    return get_attribute(m, a[0], a[1])


def _has(value: Any, name: str) -> bool:
    from auditor.interp.modules import MODULE_METHODS, is_module

    if isinstance(value, Instance):
        if name in value.attrs or (value.cls is not None and value.cls.lookup(name) is not MISSING):
            return True
        return is_module(value) and (name in MODULE_METHODS or (value.cls is None and name in ("weight", "bias")))
    if isinstance(value, Class):
        return value.lookup(name) is not MISSING
    if isinstance(value, Sym):
        return bool(value.attrs and name in value.attrs)
    if isinstance(value, Function):
        return name in value.attrs
    return isinstance(value, External)


def _hasattr(m: Machine, a: Args, k: Kwargs) -> Any:
    return _has(a[0], a[1]) if len(a) == 2 and isinstance(a[1], str) else Sym(name="scalar")


def _setattr(m: Machine, a: Args, k: Kwargs) -> Any:
    from auditor.interp.assign import set_attribute

    if len(a) == 3 and isinstance(a[1], str):
        set_attribute(m, a[0], a[1], a[2])
    return None


def _super(m: Machine, a: Args, k: Kwargs) -> Any:
    frame = m.frame
    receiver = frame.receiver
    if isinstance(receiver, Instance):
        proxy = Instance(None, "super")
        proxy.attrs["receiver"] = receiver
        owner_name = frame.name.split(".")[0]
        for base in _bases_above(receiver.cls, owner_name):
            for name, value in _methods(base).items():
                proxy.attrs.setdefault(name, Bound(receiver, value))
        for name in ("parameters", "state_dict", "load_state_dict", "named_parameters", "train", "eval", "to"):
            proxy.attrs.setdefault(name, Bound(receiver, name))
        return proxy
    return Instance(None, "super")


def _bases_above(cls: Class | None, owner: str) -> list[Class]:
    found: list[Class] = []
    stack = [cls] if cls is not None else []
    while stack:
        item = stack.pop(0)
        if item.name == owner or found:
            found.extend(b for b in item.bases if isinstance(b, Class))
        stack.extend(b for b in item.bases if isinstance(b, Class))
    return found


def _methods(cls: Class) -> dict[str, Function]:
    made = {name: value for name, value in cls.attrs.items() if isinstance(value, Function)}
    for base in cls.bases:
        if isinstance(base, Class):
            for name, value in _methods(base).items():
                made.setdefault(name, value)
    return made


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


def _vars(m: Machine, a: Args, k: Kwargs) -> Any:
    value = a[0] if a else None
    if isinstance(value, (Instance, Class)):
        return value.attrs
    return m.frame.scope.variables


def _globals(m: Machine, a: Args, k: Kwargs) -> Any:
    return m.frame.module.scope.variables


def _type(m: Machine, a: Args, k: Kwargs) -> Any:
    if len(a) == 1 and isinstance(a[0], Instance):
        return a[0].cls if a[0].cls is not None else External(a[0].library)
    if len(a) == 3 and isinstance(a[2], dict):
        made = Instance(None, "namespace")
        made.attrs.update({key: value for key, value in a[2].items() if isinstance(key, str)})
        return made
    return External("builtins.type")


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
    "builtins.int": _number(int),
    "builtins.float": _number(float),
    "builtins.str": _str,
    "builtins.repr": _str,
    "builtins.bool": _bool,
    "builtins.isinstance": _isinstance,
    "builtins.getattr": _getattr,
    "builtins.hasattr": _hasattr,
    "builtins.setattr": _setattr,
    "builtins.super": _super,
    "builtins.open": _open,
    "builtins.abs": _abs,
    "builtins.round": _round,
    "builtins.vars": _vars,
    "builtins.locals": _vars,
    "builtins.globals": _globals,
    "builtins.type": _type,
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
    "dataclasses.field": _field,
    "dataclasses.replace": _replace,
    "json.dumps": _json_dump,
    "json.dump": _json_dump,
    "json.loads": lambda m, a, k: m.unknown(*a),
    "io.BytesIO": _buffer,
    "io.StringIO": _buffer,
    "types.SimpleNamespace": _namespace,
    "argparse.Namespace": _namespace,
    "copy.copy": lambda m, a, k: a[0] if a else None,
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
