"""Binding values to targets: names, attributes, items and nested patterns."""

from __future__ import annotations

import ast
from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.values import Class, External, Function, Instance, Mark, Scope, Sym


def assign(m: Machine, target: ast.expr, value: Any) -> None:
    """Bind a value to an assignment target."""
    if isinstance(target, ast.Name):
        assign_names(m, target.id, value)
        return
    from auditor.interp.expressions import evaluate

    if isinstance(target, (ast.Tuple, ast.List)):
        _unpack(m, target.elts, value)
    elif isinstance(target, ast.Attribute):
        set_attribute(m, evaluate(m, target.value), target.attr, value)
    elif isinstance(target, ast.Subscript):
        from auditor.interp.stores import set_item

        set_item(m, evaluate(m, target.value), evaluate(m, target.slice), value)
    elif isinstance(target, ast.Starred):
        assign(m, target.value, value)


def assign_names(m: Machine, name: str, value: Any) -> None:
    """Bind a plain name in the scope that owns it."""
    frame = m.frames[-1]
    scope: Scope = frame.scope
    if name in scope.globals:
        frame.module.scope.variables[name] = value
        return
    if name in scope.nonlocals:
        outer = scope.parent
        while outer is not None:
            if name in outer.variables:
                outer.variables[name] = value
                return
            outer = outer.parent
    scope.variables[name] = value


def _unpack(m: Machine, targets: list[ast.expr], value: Any) -> None:
    from auditor.interp.iterate import elements

    value = _outputs(value, len(targets)) if m.flows is None else m.flows.parts(m, value)
    count, items = elements(m, value)
    star = next((i for i, t in enumerate(targets) if isinstance(t, ast.Starred)), None)
    exact = not (isinstance(value, Sym) and not value.shape)
    for i, target in enumerate(targets):
        if star is not None and i == star:
            tail = len(targets) - star - 1
            assign(m, target, [items(j) for j in range(star, max(star, min(count, 4096) - tail))])
        elif star is not None and i > star:
            assign(m, target, items(count - (len(targets) - i)) if count >= len(targets) - 1 else Sym())
        elif exact and i < count:
            assign(m, target, items(i))
        elif isinstance(value, Sym):
            assign(m, target, Sym(value.node, mark=value.mark, name=value.name))
        else:
            assign(m, target, m.unknown(value))


def _outputs(value: Any, count: int) -> Any:
    """Return what a network returns with its per-token losses: the losses, and outputs that are none."""
    node = value.node if isinstance(value, Sym) and value.pos is not None and value.mark & Mark.NLL else None
    place = node.info.get("beside") if node is not None else None
    if node is None or place is None or not 0 <= place < count:
        return value
    others = [Sym(node.parents[0], shape=value.shape, mark=Mark.HIDDEN) for _ in range(count)]
    return (*others[:place], value, *others[place + 1 :])


def set_attribute(m: Machine, receiver: Any, name: str, value: Any) -> None:
    """Set an attribute; writing `.data` or `.grad` of a tensor changes the tensor."""
    if isinstance(receiver, (Instance, Class, Function)):
        receiver.attrs[name] = value if m.flows is None else m.flows.carried(receiver, value)
        if isinstance(value, Sym) and value.mark & Mark.PARAM and isinstance(receiver, Instance):
            from auditor.interp.modules import is_module

            value.mark |= Mark.OWNED if is_module(receiver) else Mark.NONE
    elif isinstance(receiver, Sym):
        if name == "data":
            from auditor.interp.resets import overwritten

            overwritten(m, receiver)
            receiver.node = m.merge(value)
        elif name == "grad":
            receiver.grad = m.merge(value) if value is not None else None
        else:
            if receiver.attrs is None:
                receiver.attrs = {}
            receiver.attrs[name] = value
    elif isinstance(receiver, External):
        m.files[f"attr:{receiver.path}.{name}"] = value


def delete(m: Machine, target: ast.expr) -> None:
    """Forget a name, or a part of a model; other items and attributes are kept, since that loses no evidence."""
    if isinstance(target, ast.Name):
        m.frame.scope.variables.pop(target.id, None)
    elif isinstance(target, ast.Attribute):
        _detach(m, target.value, target.attr)
    elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute):
        if target.value.attr in ("_parameters", "_buffers", "_modules"):
            from auditor.interp.expressions import evaluate

            _detach(m, target.value.value, evaluate(m, target.slice))
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            delete(m, part)


def _detach(m: Machine, owner: ast.expr, name: Any) -> None:
    """Take a parameter or layer off a model where that is certain: later passes do not go through it."""
    from auditor.interp.expressions import evaluate
    from auditor.interp.modules import is_module

    receiver = evaluate(m, owner)
    if not m.maybe and isinstance(receiver, Instance) and is_module(receiver) and isinstance(name, str):
        receiver.attrs.pop(name, None)
