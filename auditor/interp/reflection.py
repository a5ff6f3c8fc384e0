"""Builtins that look at objects: their type, attributes, bases and namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.interp.attributes import get_attribute
from auditor.interp.machine import Machine
from auditor.interp.sequences import Args, Kwargs
from auditor.interp.values import (
    MISSING,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Sym,
)


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


REFLECTION: dict[str, Callable[[Machine, Args, Kwargs], Any]] = {
    "builtins.isinstance": _isinstance,
    "builtins.getattr": _getattr,
    "builtins.hasattr": _hasattr,
    "builtins.setattr": _setattr,
    "builtins.super": _super,
    "builtins.vars": _vars,
    "builtins.locals": _vars,
    "builtins.globals": _globals,
    "builtins.type": _type,
}
