"""Whether a network's prediction at a place depends on tokens after it: its forward pass is followed once more.

The interpreter takes a forward pass for one event. Here the same functions run again on tensors that know which of
their axes is time and how far ahead of its own place each entry certainly reaches. A reach up to the place's own target
means that the target is among what its prediction was made from.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.errors import BudgetExceeded
from auditor.interp.given import Given, Tokens
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.machine import BreakSignal, ContinueSignal, Frame, Machine, RaiseSignal, ReturnSignal
from auditor.interp.modules import is_module
from auditor.interp.place_calls import library, method
from auditor.interp.place_layers import embedded, layer
from auditor.interp.place_layout import item, store
from auditor.interp.place_math import combined, product
from auditor.interp.place_shapes import shape_of
from auditor.interp.places import FLAT, NEVER, PLAIN, TIME, Axis, Flow, Seen, flows_in, is_weight, joined
from auditor.interp.scores import Score
from auditor.interp.values import MISSING, Bound, Function, Instance, Mark, Sym
from auditor.model.source import Span

LENGTH = 1_984
"""Length of the stand-in window: 31 * 64, so that blocks of up to 64 fit and no usual width of a layer equals it."""
ROWS = 13
"""Rows of the stand-in batch; equal to no usual size either."""


FEW = 64
"""Parts that unpacking or a loop makes of one tensor: heads, streams, rows of a small table."""


class Places:
    """What a machine asks where a value may be a flow; NotImplemented sends it on to the usual models."""

    length = LENGTH

    def __init__(self, untrained: frozenset[int]) -> None:
        self.untrained = untrained

    def idle(self, weight: Any) -> bool:
        """Say whether a weight stays at zero, so that nothing comes through."""
        return id(weight) in self.untrained

    def binary(self, m: Machine, op: ast.AST, left: Any, right: Any) -> Any:
        """Evaluate an operator."""
        if not isinstance(left, Flow) and not isinstance(right, Flow):
            return NotImplemented
        if isinstance(op, ast.MatMult):
            return product(m, left, right)
        return self._quiet(m, (left, right), combined(m, (left, right), scales=not isinstance(op, (ast.Add, ast.Sub))))

    def _quiet(self, m: Machine, operands: tuple[Any, ...], made: Any) -> Any:
        return m.unknown(*operands) if any(self.idle(value) for value in operands) else made

    def unary(self, value: Any) -> Any:
        """Evaluate -x or ~x."""
        return value.made() if isinstance(value, Flow) else NotImplemented

    def compare(self, m: Machine, left: Any, right: Any) -> Any:
        """Evaluate a comparison: a mask."""
        flows = isinstance(left, Flow) or isinstance(right, Flow)
        return combined(m, (left, right), scales=False, asks=True) if flows else NotImplemented

    def attribute(self, m: Machine, receiver: Any, name: str) -> Any:
        """Read an attribute of a tensor."""
        if not isinstance(receiver, Flow):
            return NotImplemented
        if name == "shape":
            return shape_of(receiver)
        if name == "ndim":
            return len(receiver.axes)
        if name in ("T", "mT"):
            axes = receiver.axes
            return receiver.made([*axes[:-2], axes[-1], axes[-2]]) if len(axes) >= 2 else receiver
        if name in ("data", "values", "real"):
            return receiver
        if name in ("device", "dtype", "layout"):
            return Sym(name=name)
        return True if name == "is_cuda" else Sym(name=name) if name == "requires_grad" else Bound(receiver, name)

    def method(self, m: Machine, receiver: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a method of a tensor."""
        if not isinstance(receiver, Sym):
            return NotImplemented
        if not isinstance(receiver, Flow) and not _given_flow(args, kwargs):
            return receiver if self.idle(receiver) else NotImplemented
        return self._quiet(m, (receiver, *args), method(m, receiver, name, args, kwargs))

    def library(self, m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a library function."""
        if path == "builtins.sum" and _given_flow(args, {}):
            parts = (
                [part for part in args[0] if not isinstance(part, int)] if isinstance(args[0], (list, tuple)) else []
            )
            return combined(m, tuple(parts), scales=False) if parts else m.unknown(*args)
        if path.startswith(("builtins.", "functools.")) or path == "copy.deepcopy":
            return NotImplemented
        if not _given_flow(args, kwargs):
            return _allocated(path, args) if path.startswith("torch.") else NotImplemented
        return self._quiet(m, args, library(m, path, args, kwargs))

    def item(self, m: Machine, container: Any, index: Any) -> Any:
        """Evaluate container[index]."""
        if isinstance(container, Flow):
            return item(m, container, index)
        if not isinstance(index, Flow) or not isinstance(container, Sym):
            return NotImplemented
        if container.shape is None and not is_weight(container):
            return m.unknown(container, index)
        return embedded(index, container.shape[1:] if container.shape is not None else (None,))

    def carried(self, receiver: Any, value: Any) -> Any:
        """Return what a module keeps of a value: whether it is read in this window or the next one is not known."""
        return value.hidden() if isinstance(value, Flow) and is_module(receiver) else value

    def parts(self, m: Machine, value: Any) -> Any:
        """Return a value as the list that unpacking makes of it, where its first axis is short and is not time."""
        first = value.axes[0] if isinstance(value, Flow) and value.axes else Axis(None)
        if first.size is None or first.time or first.size > FEW:
            return value
        return [item(m, value, i) for i in range(first.size)]

    def store(self, m: Machine, container: Any, index: Any, value: Any) -> bool:
        """Perform container[index] = value; False where it is no matter of places."""
        if not isinstance(container, Flow):
            return False
        store(m, container, index, value)
        return True

    def layer(self, m: Machine, receiver: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a layer of a library."""
        if not _given_flow(args, kwargs):
            return NotImplemented
        forward = receiver.cls.lookup("forward") if receiver.cls is not None else MISSING
        if isinstance(forward, Function) or receiver.library.endswith(("Sequential", "ModuleList", "Loss")):
            return NotImplemented
        names = [receiver.library] if receiver.cls is None else list(receiver.cls.external_bases())
        return layer(m, receiver, names[0].rsplit(".", 1)[-1] if names else "", args, kwargs)

    def join(self, first: Any, second: Any) -> Any:
        """Join what two branches left."""
        if not isinstance(first, Flow) and not isinstance(second, Flow):
            return NotImplemented
        flow, other = (first, second) if isinstance(first, Flow) else (second, first)
        made = joined(flow, other)
        return Sym() if made is None else made


def _given_flow(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    for value in (*args, *kwargs.values()):
        if isinstance(value, Flow) or (isinstance(value, (list, tuple)) and flows_in(value)):
            return True
    return False


MORE = 2
"""Places more than the window that an array for its groups may have: none is 0, or one more may begin."""
_ALLOCATED = ("torch.zeros", "torch.ones", "torch.empty", "torch.full")


def _allocated(path: str, args: tuple[Any, ...]) -> Any:
    """Return an allocation that has the window's length as an axis: nothing has gone into it yet."""
    sizes = args[0] if args and isinstance(args[0], (tuple, list)) else args
    if path not in _ALLOCATED or not all(isinstance(size, int) for size in sizes):
        return NotImplemented
    if sum(LENGTH <= size <= LENGTH + MORE for size in sizes) != 1:
        return NotImplemented
    return Flow([Axis(size, TIME if size == LENGTH else PLAIN) for size in sizes], NEVER)


@dataclass(frozen=True, slots=True)
class LookAhead:
    """A network whose prediction knows its target: its pass, a score that counts it, and where it came to know."""

    forward: Node
    loss: Node
    seen: Seen
    certain: bool
    """False where the number may also be made of scores of which this is not known."""


def look_ahead(m: Machine, scores: Sequence[Score]) -> tuple[LookAhead, ...]:
    """Follow the networks behind some scores once more; say which of them predict tokens that they were given."""
    found: dict[tuple[Any, ...], tuple[Node, Node, Seen]] = {}
    every = True
    for score in scores:
        known = False
        for node in ancestors(score.loss, into_state=False, cap=REACH):
            if node.kind is not Kind.FORWARD or not _next(node, score.loss):
                continue
            call: Given | None = node.info.get("given")
            if call is None:
                continue
            key = (call.signature, _settings(call.receiver))
            if key not in m.looked:
                m.looked[key] = _seen(m, call)
            if m.looked[key] is not None:
                found.setdefault(key, (node, score.loss, m.looked[key]))
                known = True
        every &= known
    return tuple(LookAhead(*parts, every and not parts[0].doubts) for parts in found.values())


def _settings(root: Instance, depth: int = 5) -> tuple[Any, ...]:
    """Return everything plain that a network and its parts hold: copies of one network are followed once."""
    held: list[Any] = [root.library if root.cls is None else id(root.cls)]
    for value in root.attrs.values() if depth else ():
        for part in value[:64] if isinstance(value, list) else (value,):
            if isinstance(part, (bool, int, float, str)):
                held.append(part)
            elif isinstance(part, Instance):
                held.append(_settings(part, depth - 1))
    return tuple(held)


REACH = 600
"""Events looked through between a loss and the forward pass behind it."""


def _next(forward: Node, loss: Node) -> bool:
    """Say whether a loss is that of the tokens after those that the network was given: it predicts the next one."""
    return bool(loss.region) and bool(forward.region) and loss.region.last == forward.region.last + 1


def _seen(m: Machine, call: Given) -> Seen | None:
    """Return where the prediction of a network call came to know its target, None where it is not known to."""
    from auditor.interp.calls import call_function

    function = call.receiver.cls.lookup(call.function) if call.receiver.cls is not None else MISSING
    if not isinstance(function, Function):
        return None
    inner = Machine(m.world, replace(m.limits, steps=m.limits.network_steps))
    inner.modules, inner.sources, inner.flows = m.modules, m.sources, Places(_untrained(m, call.receiver))
    inner.frames.append(Frame(inner.ident(), "<module>", function.module, function.module.scope))
    span = Span(function.module.file, function.module.layer, function.node.lineno)
    handed = Seen(span, function.name, "is handed the targets and makes the prediction of them")
    args = (call.receiver, *[_stand_in(value, handed) for value in call.args])
    kwargs = {name: _stand_in(value, handed) for name, value in call.kwargs}
    before = _state(call.receiver)
    try:
        result = call_function(inner, function, args, kwargs, call.receiver)
    except (BudgetExceeded, RecursionError, BreakSignal, ContinueSignal, RaiseSignal, ReturnSignal):
        return None
    finally:
        for held, was in before:
            held.clear()
            held.update(was) if isinstance(held, dict) else held.extend(was)
    return _verdict(result)


def _state(root: Any, depth: int = 6) -> list[tuple[Any, Any]]:
    """Return (container, content) of all that hangs below a network, so that the pass leaves nothing behind."""
    attrs = root.attrs if isinstance(root, Instance) else root
    found = [(attrs, attrs.copy())]
    for value in attrs.values() if isinstance(attrs, dict) else attrs[:400]:
        if depth and isinstance(value, (Instance, dict, list)):
            found.extend(_state(value, depth - 1))
    return found


def _stand_in(value: Any, handed: Seen) -> Any:
    if not isinstance(value, Tokens):
        return value
    made = Flow(
        [Axis(1 if value.single else ROWS), Axis(LENGTH, TIME)][-value.axes :],
        value.ahead,
        handed if value.ahead > 0 else None,
    )
    made.tokens = True
    return made


def _verdict(result: Any) -> Seen | None:
    """Say where the scored output knows its target: its losses, or logits of the whole window."""
    if isinstance(result, (tuple, list)):
        result = result[0] if result else None
    if isinstance(result, dict):
        result = result.get("loss", result.get("logits"))
    if not isinstance(result, Flow):
        return None
    if result.loss:
        return result.leak
    times = [result.axes[i] for i in result.at(TIME, FLAT)]
    whole = len(times) == 1 and times[0].size in (LENGTH, LENGTH * ROWS) and not result.tokens
    return result.seen if whole and result.reach >= 1 and result.axes and not result.axes[-1].time else None


def _untrained(m: Machine, root: Instance) -> frozenset[int]:
    """Return the parameters below a network that start at zero and that no optimiser of the run holds, if any does.

    The scored network may be a copy of the trained one: parameters of the same place in both are the same.
    """
    zeroed = [(path, tensor) for path, tensor in _parameters(root) if tensor.mark & Mark.ZEROED]
    if all(tensor.mark & Mark.STEPPED for _, tensor in zeroed):
        return frozenset()
    copies = (owner for _, owner in m.identities.values() if isinstance(owner, Instance) and owner.cls is root.cls)
    trained = {path for owner in copies for path, tensor in _parameters(owner) if tensor.mark & Mark.STEPPED}
    return frozenset(id(tensor) for path, tensor in zeroed if trained and path not in trained)


def _parameters(root: Instance, prefix: str = "", depth: int = 6) -> list[tuple[str, Sym]]:
    """Return (path without numbers, parameter) below a module."""
    found: list[tuple[str, Sym]] = []
    for name, value in root.attrs.items():
        values = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
        for part in values[:400]:
            if isinstance(part, Sym) and part.mark & Mark.PARAM:
                found.append((f"{prefix}.{name}", part))
            elif isinstance(part, Instance) and depth:
                found.extend(_parameters(part, f"{prefix}.{name}", depth - 1))
    return found
