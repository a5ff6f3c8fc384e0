"""Closures for the plain subset: each does one arithmetic or list operation, with the general handlers' meaning.

What is outside of the subset, in code or in values, raises `NotPlain`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from auditor.frontend.walk import nodes
from auditor.interp.machine import BreakSignal, ContinueSignal, Machine
from auditor.interp.operators import ARITHMETIC, COMPARISONS
from auditor.interp.values import MISSING, External

Variables = dict[str, Any]
Read = Callable[[Variables], Any]
Run = Callable[[Variables], None]
_NUMBERS = (int, float, bool)
_PLAIN = frozenset({int, float, bool, str, type(None), list, tuple, range})
_LARGE = 1 << 63
"""Whole numbers beyond this are left to the general handlers, which bound them."""
_PLAIN_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    op: ARITHMETIC[op] for op in (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Div)
}
_BUILTINS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "len": len,
    "int": int,
    "float": float,
    "abs": abs,
    "bool": bool,
    "range": range,
}


class NotPlain(Exception):
    """The code or a value is outside of the plain subset."""


class Compiler:
    """Turns the subset into closures for one run of a loop."""

    def __init__(self, m: Machine, body: list[Any]) -> None:
        self.m = m
        self.undo: list[Callable[[], Any]] = []
        self.assigned = {
            node.id
            for part in body
            for node in nodes(part)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }

    # statements

    def block(self, body: list[ast.stmt]) -> Run:
        frame = self.m.frame
        runs = [self.statement(s) for s in body]
        places = {(frame.module.file, frame.module.layer, s.lineno) for s in body}
        reached, machine, cost = self.m.reached, self.m, len(body)

        def run(variables: Variables) -> None:
            nonlocal places
            if places:
                reached.update(places)
                places = set()
            machine.tick(cost)
            for one in runs:
                one(variables)

        return run

    def statement(self, s: ast.stmt) -> Run:
        if isinstance(s, ast.Assign) and len(s.targets) == 1:
            return self.store(s.targets[0], self.expression(s.value))
        if isinstance(s, ast.AugAssign) and isinstance(s.target, ast.Name) and type(s.op) in _PLAIN_ARITHMETIC:
            combined = ast.BinOp(ast.Name(s.target.id, ast.Load()), s.op, s.value)
            return self.store(s.target, self.expression(combined))
        if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call):
            return self.append(s.value)
        if isinstance(s, ast.If) and not isinstance(s.body[-1], ast.Raise):
            return self.condition(s)
        if isinstance(s, ast.If) and not self.m.frame.guarded:
            # A check that raises: the run that printed the logs passed it.
            return self.block(s.orelse)
        if isinstance(s, ast.While) and not s.orelse:
            return self.repeat(s)
        if isinstance(s, ast.For) and not s.orelse:
            return self.each(s)
        if isinstance(s, ast.Continue):
            return _continue
        if isinstance(s, ast.Break):
            return _break
        if isinstance(s, ast.Pass):
            return _pass
        raise NotPlain

    def store(self, target: ast.expr, value: Read) -> Run:
        if isinstance(target, ast.Name):
            name = target.id

            def bind(variables: Variables) -> None:
                variables[name] = value(variables)

            return bind
        if isinstance(target, ast.Tuple) and all(isinstance(part, ast.Name) for part in target.elts):
            names = [part.id for part in target.elts if isinstance(part, ast.Name)]

            def unpack(variables: Variables) -> None:
                parts = value(variables)
                if type(parts) not in (tuple, list) or len(parts) != len(names):
                    raise NotPlain
                for name, part in zip(names, parts, strict=True):
                    variables[name] = _checked(part)

            return unpack
        raise NotPlain

    def append(self, e: ast.Call) -> Run:
        if not isinstance(e.func, ast.Attribute) or e.func.attr != "append" or len(e.args) != 1 or e.keywords:
            raise NotPlain
        receiver, value, undo = self.expression(e.func.value), self.expression(e.args[0]), self.undo

        def run(variables: Variables) -> None:
            items = receiver(variables)
            if type(items) is not list:
                raise NotPlain
            items.append(value(variables))
            undo.append(items.pop)

        return run

    def condition(self, s: ast.If) -> Run:
        test, body, orelse = self.expression(s.test), self.block(s.body), self.block(s.orelse)

        def run(variables: Variables) -> None:
            (body if test(variables) else orelse)(variables)

        return run

    def repeat(self, s: ast.While) -> Run:
        test, body, machine = self.expression(s.test), self.block(s.body), self.m

        def run(variables: Variables) -> None:
            turns = 0
            while test(variables):
                turns += 1
                if turns > _TURNS:
                    raise NotPlain
                try:
                    body(variables)
                except ContinueSignal:
                    continue
                except BreakSignal:
                    break
            machine.tick()

        return run

    def each(self, s: ast.For) -> Run:
        items, body = self.expression(s.iter), self.block(s.body)
        current: list[Any] = [None]
        bind = self.store(s.target, lambda _variables: current[0])

        def run(variables: Variables) -> None:
            values = items(variables)
            if type(values) not in (list, tuple, range) or len(values) > _TURNS:
                raise NotPlain
            for value in values:
                current[0] = value
                bind(variables)
                try:
                    body(variables)
                except ContinueSignal:
                    continue
                except BreakSignal:
                    break

        return run

    # expressions

    def expression(self, e: ast.expr) -> Read:
        make = _EXPRESSIONS.get(type(e))
        if make is None:
            raise NotPlain
        return make(self, e)

    def constant(self, e: ast.Constant) -> Read:
        value = _checked(e.value)
        return lambda _variables: value

    def name(self, e: ast.Name) -> Read:
        if e.id not in self.assigned:
            value = _checked(self._found(e.id))
            return lambda _variables: value
        name = e.id
        return lambda variables: _checked(variables.get(name, MISSING))

    def attribute(self, e: ast.Attribute) -> Read:
        """Read a setting once: nothing in the subset writes attributes."""
        from auditor.interp.expressions import evaluate

        root: ast.expr = e
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self.assigned or e.attr in self.m.counters:
            raise NotPlain
        value = _checked(evaluate(self.m, e))
        return lambda _variables: value

    def binary(self, e: ast.BinOp) -> Read:
        operate = _PLAIN_ARITHMETIC.get(type(e.op))
        if operate is None:
            raise NotPlain
        left, right = self.expression(e.left), self.expression(e.right)

        def read(variables: Variables) -> Any:
            a, b = left(variables), right(variables)
            if type(a) not in _NUMBERS or type(b) not in _NUMBERS:
                raise NotPlain
            made = operate(a, b)
            if type(made) is int and not -_LARGE < made < _LARGE:
                raise NotPlain
            return made

        return read

    def unary(self, e: ast.UnaryOp) -> Read:
        value = self.expression(e.operand)
        if isinstance(e.op, ast.Not):
            return lambda variables: not value(variables)
        if not isinstance(e.op, ast.USub):
            raise NotPlain
        return lambda variables: -_number(value(variables))

    def compare(self, e: ast.Compare) -> Read:
        if isinstance(e.left, ast.BinOp) and isinstance(e.left.op, ast.Mod):
            # "every so many iterations" means something else in a sampled loop.
            raise NotPlain
        if len(e.ops) == 1 and isinstance(e.ops[0], (ast.Is, ast.IsNot)) and _is_none(e.comparators[0]):
            value, wanted = self.expression(e.left), isinstance(e.ops[0], ast.Is)
            return lambda variables: (value(variables) is None) is wanted
        if any(type(op) not in COMPARISONS for op in e.ops):
            raise NotPlain
        first = self.expression(e.left)
        rest = [(COMPARISONS[type(op)], self.expression(part)) for op, part in zip(e.ops, e.comparators, strict=True)]

        def read(variables: Variables) -> bool:
            left = first(variables)
            for holds, part in rest:
                right = part(variables)
                if not holds(left, right):
                    return False
                left = right
            return True

        return read

    def boolean(self, e: ast.BoolOp) -> Read:
        parts, wants = [self.expression(part) for part in e.values], isinstance(e.op, ast.And)

        def read(variables: Variables) -> Any:
            value: Any = None
            for part in parts:
                value = part(variables)
                if bool(value) is not wants:
                    return value
            return value

        return read

    def choice(self, e: ast.IfExp) -> Read:
        test, body, orelse = self.expression(e.test), self.expression(e.body), self.expression(e.orelse)
        return lambda variables: (body if test(variables) else orelse)(variables)

    def sequence(self, e: ast.Tuple | ast.List) -> Read:
        parts = [self.expression(part) for part in e.elts]
        if isinstance(e, ast.List):
            return lambda variables: [part(variables) for part in parts]
        return lambda variables: tuple([part(variables) for part in parts])

    def subscript(self, e: ast.Subscript) -> Read:
        receiver, index = self.expression(e.value), self.expression(e.slice)

        def read(variables: Variables) -> Any:
            items, at = receiver(variables), index(variables)
            if type(items) not in (list, tuple, range) or type(at) is not int:
                raise NotPlain
            return _checked(items[at])

        return read

    def call(self, e: ast.Call) -> Read:
        if not isinstance(e.func, ast.Name) or e.keywords or e.func.id not in _BUILTINS or e.func.id in self.assigned:
            raise NotPlain
        found = self._found(e.func.id)
        if not isinstance(found, External) or found.path != f"builtins.{e.func.id}":
            raise NotPlain
        function, parts = _BUILTINS[e.func.id], [self.expression(part) for part in e.args]
        numeric = e.func.id not in ("len", "range", "bool")

        def read(variables: Variables) -> Any:
            values = [part(variables) for part in parts]
            if numeric and any(type(value) not in _NUMBERS for value in values):
                raise NotPlain
            return function(*values)

        return read

    def _found(self, name: str) -> Any:
        from auditor.interp.expressions import lookup

        return lookup(self.m, name)


_TURNS = 3_000
"""Iterations of an inner loop, as of any loop over known integers."""


def _checked(value: Any) -> Any:
    if type(value) not in _PLAIN:
        raise NotPlain
    return value


def _number(value: Any) -> Any:
    if type(value) not in _NUMBERS:
        raise NotPlain
    return value


def _is_none(e: ast.expr) -> bool:
    return isinstance(e, ast.Constant) and e.value is None


def _continue(_variables: Variables) -> None:
    raise ContinueSignal


def _break(_variables: Variables) -> None:
    raise BreakSignal


def _pass(_variables: Variables) -> None:
    return None


_EXPRESSIONS: dict[type[ast.AST], Callable[[Compiler, Any], Read]] = {
    ast.Constant: Compiler.constant,
    ast.Name: Compiler.name,
    ast.Attribute: Compiler.attribute,
    ast.BinOp: Compiler.binary,
    ast.UnaryOp: Compiler.unary,
    ast.Compare: Compiler.compare,
    ast.BoolOp: Compiler.boolean,
    ast.IfExp: Compiler.choice,
    ast.Tuple: Compiler.sequence,
    ast.List: Compiler.sequence,
    ast.Subscript: Compiler.subscript,
    ast.Call: Compiler.call,
}
