"""Attribute access on every kind of value."""

from __future__ import annotations

import math
from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.updates import gradient_of
from auditor.interp.values import (
    MISSING,
    Bound,
    Class,
    External,
    Function,
    Instance,
    ModuleInfo,
    Partial,
    Sym,
)

_LIBRARIES = ("math", "numpy", "torch")
_CONSTANTS = {f"{library}.{name}": getattr(math, name) for library in _LIBRARIES for name in ("pi", "e", "inf", "nan")}
_SELF_ATTRIBUTES = frozenset({"data", "real", "T", "mT"})


def get_attribute(m: Machine, receiver: Any, name: str) -> Any:
    """Evaluate `receiver.name`."""
    if isinstance(receiver, External):
        return _external(m, receiver, name)
    if isinstance(receiver, Instance):
        return _instance(m, receiver, name)
    if isinstance(receiver, Sym):
        return _sym(m, receiver, name)
    if isinstance(receiver, ModuleInfo):
        return receiver.scope.variables.get(name, Sym(name=name))
    if isinstance(receiver, Class):
        found = receiver.lookup(name)
        if isinstance(found, Function) and found.kind == "class":
            return Bound(receiver, found)
        if found is MISSING:
            return (
                receiver.name
                if name == "__name__"
                else External(f"object.{name}")
                if name == "__init__"
                else Sym(name=name)
            )
        return found
    if isinstance(receiver, Function):
        if name in ("__name__", "__qualname__"):
            return receiver.name
        return receiver.attrs.get(name, Sym(name=name))
    if isinstance(receiver, (Partial, Bound)):
        return Bound(receiver, name)
    if isinstance(receiver, (range, slice)) and name in ("start", "stop", "step"):
        return getattr(receiver, name)
    if isinstance(receiver, (int, float)) and name in ("real", "numerator"):
        return receiver
    return Bound(receiver, name)


def _external(m: Machine, receiver: External, name: str) -> Any:
    path = f"{receiver.path}.{name}"
    if path in _CONSTANTS:
        return _CONSTANTS[path]
    stored = m.files.get(f"attr:{path}", MISSING)
    if stored is not MISSING:
        return stored
    local = m.modules.get(path)
    return local if local is not None else External(path)


def _instance(m: Machine, receiver: Instance, name: str) -> Any:
    if name in receiver.attrs:
        return receiver.attrs[name]
    if name == "__class__":
        return receiver.cls if receiver.cls is not None else External(receiver.library)
    if name == "__dict__":
        return receiver.attrs
    if receiver.cls is not None:
        found = receiver.cls.lookup(name)
        if isinstance(found, Function):
            if found.kind == "property":
                from auditor.interp.calls import call_function

                return call_function(m, found, (receiver,), {})
            if found.kind == "static":
                return found
            return Bound(receiver.cls if found.kind == "class" else receiver, found)
        if found is not MISSING:
            return found
    from auditor.interp.modules import is_module, module_attribute

    if is_module(receiver):
        return module_attribute(m, receiver, name)
    if receiver.library == "argparse.Namespace":
        return Sym(name=name)
    if receiver.library == "pathlib.Path" and name in ("parent", "parents"):
        from auditor.interp.objects import parent_of

        return parent_of(receiver) if name == "parent" else [parent_of(receiver), parent_of(parent_of(receiver))]
    return Bound(receiver, name)


def _sym(m: Machine, receiver: Sym, name: str) -> Any:
    if m.flows is not None and (found := m.flows.attribute(m, receiver, name)) is not NotImplemented:
        return found
    if receiver.attrs is not None and name in receiver.attrs:
        return receiver.attrs[name]
    if name in ("data", "ctypes"):
        return receiver
    if name in _SELF_ATTRIBUTES:
        return _transposed(receiver) if name in ("T", "mT") else receiver
    if name == "shape":
        return receiver.shape if receiver.shape is not None else Sym(name="shape")
    if name in ("size",) and receiver.shape is not None and receiver.name.startswith("np"):
        return _product(receiver.shape)
    if name == "ndim":
        return len(receiver.shape) if receiver.shape is not None else Sym(name="ndim")
    if name == "grad":
        found = receiver.grad or (m.merge(*[Sym(n) for n in m.pending]) if m.pending else None)
        return gradient_of(receiver, Sym(found, name="grad"))
    if name in ("device", "dtype", "layout", "itemsize"):
        return Sym(name=name)
    if name == "nbytes":
        return Sym(receiver.node, name="nbytes")
    if name in ("is_cuda", "requires_grad", "is_floating_point"):
        return True
    return Bound(receiver, name)


def _transposed(receiver: Sym) -> Sym:
    made = Sym(receiver.node, mark=receiver.mark, name=receiver.name)
    if receiver.pos is not None:
        made.pos = receiver.pos.T
    if receiver.val is not None:
        made.val = receiver.val.T
    made.shape = receiver.shape[::-1] if receiver.shape is not None else None
    return made


def _product(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
