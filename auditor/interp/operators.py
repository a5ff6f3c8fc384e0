"""Operators on abstract values: exact on known scalars and index arrays, position-keeping on everything else."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.interp.broadcast import broadcast
from auditor.interp.choices import compared
from auditor.interp.graph import Kind, Node
from auditor.interp.machine import Machine
from auditor.interp.percent import percent
from auditor.interp.region import EMPTY, Region
from auditor.interp.rowmajor import LAID_OUT, lay
from auditor.interp.runs import moved
from auditor.interp.scaled import scaling
from auditor.interp.sorts import combined, replaced, said
from auditor.interp.struck import matched, strike_product
from auditor.interp.told import hit
from auditor.interp.updates import by_hand
from auditor.interp.values import POSITION_CAP, SHARE, Bound, External, Instance, Mark, Sym, Text

ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.MatMult: operator.matmul,
}
COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_METHOD = {
    ast.Add: "__add__",
    ast.Sub: "__sub__",
    ast.Mult: "__mul__",
    ast.Div: "__truediv__",
    ast.FloorDiv: "__floordiv__",
    ast.Mod: "__mod__",
    ast.MatMult: "__matmul__",
}
BIG_SHIFT, BIG_POWER, BIG_REPEAT, BIG_NUMBER = 256, 4096, 100_000, 65_536
"""Beyond these a constant expression is a way to hang or fill the auditor; real scripts stay far below."""
MASK = "mask"
"""Name of a value that a comparison made: indexing by it selects, and any element may be selected."""
MAX_KEYS = 24
"""Token arrays mixed into one hash; the longest real n-gram order is 16."""
_SCALARS = (bool, int, float, complex)
_REAL = frozenset((int, float))
_BOUNDED = frozenset((ast.Add, ast.Sub))
"""Operations on two whole numbers that need no bound and raise nothing."""


def binary(m: Machine, op: ast.operator, left: Any, right: Any) -> Any:
    """Evaluate `left op right`."""
    if type(left) is int and type(right) is int and type(op) in _BOUNDED:
        return ARITHMETIC[type(op)](left, right)
    if m.flows is not None and (made := m.flows.binary(m, op, left, right)) is not NotImplemented:
        return made
    if isinstance(left, Sym) or isinstance(right, Sym):
        if isinstance(op, ast.BitAnd):
            for side in (left, right):
                if isinstance(side, Sym) and side.val is not None and side.val.dtype == bool and not side.val.any():
                    return side
        return elementwise(m, (left, right), ARITHMETIC[type(op)], arithmetic=type(op))
    if isinstance(left, Text) or isinstance(right, Text):
        if isinstance(op, ast.Add):
            from auditor.interp.expressions import text_of

            return text_of([left, right])
        return m.unknown(left, right)
    if isinstance(left, Instance) and left.cls is not None and type(op) in _METHOD:
        from auditor.interp.calls import call_method

        return call_method(m, left, _METHOD[type(op)], (right,))
    if isinstance(op, ast.Div) and any(isinstance(v, Instance) and v.library == "pathlib.Path" for v in (left, right)):
        from auditor.interp.effects import path_text
        from auditor.interp.objects import make_path

        return make_path(f"{path_text(left)}/{path_text(right)}")
    if isinstance(left, str) and isinstance(op, ast.Mod):
        return percent(m, left, right)
    if not _safe(op, left, right):
        return Sym(name="large")
    try:
        return ARITHMETIC[type(op)](left, right)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, MemoryError):
        return m.unknown(left, right)


def settle(value: Any) -> Any:
    """Return the number that `array.size` is; torch spells the same name as a method, so it is bound until used."""
    if isinstance(value, Bound) and value.function == "size" and isinstance(value.receiver, Sym):
        shape = value.receiver.shape
        return math.prod(shape) if shape is not None else Sym(shape=(), name="scalar")
    return value


def _safe(op: ast.operator, left: Any, right: Any) -> bool:
    if isinstance(op, (ast.LShift, ast.RShift)):
        return isinstance(right, int) and 0 <= right <= BIG_SHIFT
    if isinstance(op, ast.Pow):
        return (
            isinstance(right, _SCALARS[:3])
            and abs(right) <= BIG_POWER
            and not (isinstance(left, int) and left.bit_length() * abs(right) > BIG_NUMBER)
        )
    if isinstance(op, ast.Add) and isinstance(left, (str, bytes, list, tuple)) and isinstance(right, type(left)):
        return len(left) + len(right) <= BIG_REPEAT
    if isinstance(op, ast.Mult) and isinstance(left, int) and isinstance(right, int):
        return left.bit_length() + right.bit_length() <= BIG_NUMBER
    if isinstance(op, ast.Mult):
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, (str, bytes, list, tuple)) and isinstance(times, int):
                return len(sequence) * max(times, 0) <= BIG_REPEAT
    return True


_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}


def unary(m: Machine, op: ast.unaryop, value: Any) -> Any:
    """Evaluate -x, +x or ~x."""
    function = _UNARY[type(op)]
    if m.flows is not None and (made := m.flows.unary(value)) is not NotImplemented:
        return made
    if isinstance(value, Sym):
        return elementwise(m, (value,), function)
    try:
        return function(value)
    except TypeError:
        return m.unknown(value)


def compare(m: Machine, op: ast.cmpop, left: Any, right: Any) -> Any:
    """Evaluate one comparison; a comparison of token ids with a number finds the stand-in's document starts."""
    if type(left) in _REAL and type(right) in _REAL and type(op) in COMPARISONS:
        return COMPARISONS[type(op)](left, right)
    if isinstance(op, (ast.Is, ast.IsNot)):
        if left is None or right is None or (isinstance(left, bool) and isinstance(right, bool)):
            same = left is right
        elif isinstance(left, Sym) or isinstance(right, Sym):
            return (left is right) is isinstance(op, ast.Is) or Sym(m.merge(left, right))
        else:
            same = left is right or (isinstance(left, str) and left == right)
        return same is isinstance(op, ast.Is)
    if isinstance(op, (ast.In, ast.NotIn)):
        found = _contains(m, left, right)
        return found if isinstance(found, Sym) else found is isinstance(op, ast.In)
    if isinstance(left, Sym) or isinstance(right, Sym):
        return _compare_syms(m, op, left, right)
    if isinstance(left, Text) or isinstance(right, Text):
        return m.unknown(left, right)
    try:
        return bool(COMPARISONS[type(op)](left, right))
    except TypeError:
        return m.unknown(left, right)


def _compare_syms(m: Machine, op: ast.cmpop, left: Any, right: Any) -> Any:
    if m.flows is not None and (made := m.flows.compare(m, left, right)) is not NotImplemented:
        return made
    if isinstance(left, Sym) and isinstance(op, (ast.Eq, ast.NotEq)) and left.mark & Mark.TOKENS:
        plain = (
            not isinstance(right, Sym) or bool(right.mark & Mark.VOCAB) or (right.val is not None and right.shape == ())
        )
        if left.pos is not None and plain and left.pos.size <= POSITION_CAP:
            starts = m.starts_documents(left.pos)
            return Sym(left.node, val=starts if isinstance(op, ast.Eq) else ~starts, pos=left.pos)
    if isinstance(op, (ast.Gt, ast.GtE)) and _beyond_share(left, right):
        assert isinstance(left, Sym) and left.shape is not None
        return Sym(shape=left.shape, val=np.broadcast_to(np.False_, left.shape))
    made = elementwise(m, (left, right), COMPARISONS[type(op)])
    if isinstance(op, (ast.Eq, ast.NotEq)):
        hit(m, made, left, right)
        matched(m, made, left, right)
    elif made.val is None:
        made.node = compared(m, left, right) or made.node
    made.name = MASK
    made.mark &= ~(Mark.TABLE | Mark.NORMAL)
    return made


def _beyond_share(left: Any, right: Any) -> bool:
    """Say whether shares are compared with a threshold above one: a channel that is shut this way."""
    if not isinstance(left, Sym) or left.shape is None or not (left.attrs or {}).get(SHARE):
        return False
    known = right.val if isinstance(right, Sym) else right
    if isinstance(known, np.ndarray):
        known = known.item() if known.size == 1 else None
    return isinstance(known, (int, float)) and known > 1.0


def _contains(m: Machine, item: Any, container: Any) -> Any:
    if isinstance(item, Sym) and type(container) is dict and item in container:
        return True
    if isinstance(item, str) and (known := said(container)) is not None and isinstance(known[1], str):
        return item in known[1]
    if isinstance(item, Sym) or isinstance(container, (Sym, Text)) or isinstance(item, Text):
        return Sym(m.merge(item, container))
    if isinstance(container, External) and container.path == "os.environ":
        from auditor.interp.environ import contains

        return contains(m, item)
    if isinstance(container, Instance):
        return Sym(m.merge(item, container))
    try:
        if item in container:
            return True
        if isinstance(container, (dict, list, tuple, set)) and any(isinstance(x, (Sym, Text)) for x in container):
            return Sym(m.merge(item))
        return False
    except TypeError:
        return m.unknown(item, container)


def elementwise(
    m: Machine,
    operands: tuple[Any, ...],
    function: Callable[..., Any] | None = None,
    *,
    arithmetic: type[ast.AST] | None = None,
) -> Sym:
    """Combine operands element by element: broadcast shapes, keep positions, compute contents where all are known."""
    syms = [value for value in operands if type(value) is Sym]
    node = m.merge(*operands)
    mark = Mark.NONE
    for sym in syms:
        mark |= sym.mark & _ELEMENTWISE
    if mark & Mark.NORMAL:
        mark = _mark_of(mark, syms, arithmetic)
    if arithmetic is not None and mark & Mark.TOKENS and sum([bool(sym.mark & Mark.TOKENS) for sym in syms]) > 1:
        mark |= Mark.MIXED
    shape = broadcast(operands)
    made = Sym(node, shape=shape, mark=mark)
    _content(made, operands, function)
    _positions(made, syms)
    if mark & Mark.TOKENS:
        lay(made, operands, arithmetic)
    masks = [sym.name == MASK for sym in syms]
    if masks and (all(masks) or (any(masks) and arithmetic in (ast.BitAnd, ast.BitOr))):
        made.name = MASK
    if arithmetic is ast.Mult and any(masks):
        strike_product(m, made, syms, masks)
    if arithmetic not in (ast.Div, ast.FloorDiv):
        _blend(m, made, syms, product=arithmetic is ast.Mult)
    if mark & Mark.GRADIENT or arithmetic is ast.Sub:
        by_hand(m, made, syms, arithmetic, function)
    combined(made, operands, function)
    scaling(made, operands, function)
    return made


_ELEMENTWISE = ~(Mark.PARAM | Mark.TABLE | LAID_OUT)


def _blend(m: Machine, made: Sym, syms: list[Sym], *, product: bool) -> None:
    """Record that losses are mixed with looked-up values, and with what positions the mixture is about."""
    if len(syms) < 2:
        return
    losses = [s for s in syms if s.mark & Mark.NLL and s.pos is not None]
    tables = [s for s in syms if s.mark & Mark.LOOKUP and not s.mark & Mark.NLL and s.pos is not None]
    # Whether a hint was right is no mass that is mixed in.
    tables = [s for s in tables if not (s.name == MASK and s.mark & (Mark.TOLD | Mark.TOKENS))]
    if losses and tables and losses[0].pos is not None:
        blend(m, made, losses[0].pos, weights=tuple(t.node for t in tables if t.node is not None) if product else ())


def blend(m: Machine, made: Sym, target: np.ndarray, *, blind: bool = False, weights: tuple[Node, ...] = ()) -> None:
    """Put a blend event behind `made`; `blind` where a component is the same for any realised token.

    `weights` are looked-up values that the model's own probability is multiplied with.
    """
    region = Region.of(target)
    made.node = m.node(
        Kind.OP, [made.node], text="blend", blend=True, blind=blind, weights=weights, target=target, region=region
    )


def _mark_of(mark: int, syms: list[Sym], arithmetic: type[ast.AST] | None) -> int:
    normal = all(sym.mark & Mark.NORMAL for sym in syms if sym.mark & (Mark.LOGITS | Mark.NORMAL))
    return mark if normal and arithmetic in (ast.Add, ast.Mult, ast.Sub) else mark & ~Mark.NORMAL


def _content(made: Sym, operands: tuple[Any, ...], function: Callable[..., Any] | None) -> None:
    if function is None or made.shape is None:
        return
    contents: list[Any] = []
    for value in operands:
        if isinstance(value, Sym):
            if value.val is None:
                return
            contents.append(value.val)
        elif isinstance(value, _SCALARS):
            contents.append(value)
        else:
            return
    if math.prod(made.shape) > POSITION_CAP:
        return
    try:
        result = moved(function, contents)
        result = np.asarray(function(*contents)) if result is None else result
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, OSError):
        return
    if result.dtype != object:
        made.val, made.shape = result, result.shape


def _positions(made: Sym, syms: list[Sym]) -> None:
    """Give the result the positions of its operands; a known 0/1 mask removes the positions that it zeroes."""
    carriers = [sym for sym in syms if sym.pos is not None]
    if not carriers:
        return
    if len(carriers) > 1:
        carriers.sort(key=lambda sym: (not sym.mark & Mark.NLL, -(sym.pos.size if sym.pos is not None else 0)))
    main = carriers[0]
    assert main.pos is not None
    if made.shape is None or main.pos.shape != made.shape:
        if made.shape is None or math.prod(made.shape) > POSITION_CAP:
            return
        try:
            made.pos = np.broadcast_to(main.pos, made.shape)
            keys = [np.broadcast_to(key, made.shape) for key in main.keys]
        except ValueError:
            return
    else:
        made.pos, keys = main.pos, [*main.keys]
    for other in carriers[1:]:
        for extra in (other.pos, *other.keys):
            if extra is not None and extra.shape == made.pos.shape and len(keys) < MAX_KEYS:
                keys.append(extra)
    made.keys = tuple(keys)
    if made.mark & Mark.NLL:
        for sym in syms:
            if sym is not main and sym.val is not None and sym.pos is None and sym.shape == made.shape and sym.shape:
                made.pos = np.where(sym.val.astype(bool), made.pos, -1)


def in_place(m: Machine, op: ast.operator, current: Any, value: Any, target: ast.expr) -> Any:
    """Evaluate `current op= value`. Tensors are changed in place, so every alias sees it."""
    if m.flows is not None and (made := m.flows.binary(m, op, current, value)) is not NotImplemented:
        return made
    if isinstance(current, Sym) and not current.mark & Mark.CLOCK and current.name != "scalar":
        result = elementwise(m, (current, value), ARITHMETIC[type(op)], arithmetic=type(op))
        region = EMPTY
        if isinstance(value, Sym) and value.mark & Mark.TABLE and value.node is not None:
            current.mark |= Mark.TABLE
            region = value_region(value) or value.node.region
        elif current.mark & Mark.TABLE:
            region = value_region(value)
        if current.mark & Mark.TABLE and region:
            current.node = m.node(Kind.CACHE_WRITE, [result.node], region=region, table=m.identity(current))
        else:
            current.node = result.node
        current.val, current.shape = result.val, result.shape or current.shape
        current.pos, current.keys = (result.pos, result.keys) if result.shape == current.shape else (None, ())
        current.mark = current.mark & ~LAID_OUT | result.mark & ~Mark.TABLE
        replaced(current, result)
        return current
    if isinstance(current, list) and isinstance(op, ast.Add):
        from auditor.interp.iterate import elements

        count, items = elements(m, value)
        if len(current) <= BIG_REPEAT:
            current.extend([items(i) for i in range(min(count, 4096))])
        return current
    return binary(m, op, current, value)


def value_region(value: Any) -> Region:
    """Return the validation positions that a value, or any part of a tuple of values, holds element by element."""
    if isinstance(value, tuple):
        return Region.union(value_region(part) for part in value)
    if isinstance(value, Sym) and value.pos is not None:
        if not value.keys:
            return Region.of(value.pos)
        return Region.union([Region.of(value.pos), *(Region.of(key) for key in value.keys)])
    return EMPTY
