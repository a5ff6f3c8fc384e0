"""A fast way through loops that only move plain numbers about: window lists, document lists, chunk bounds.

Such a body is turned once into closures over Python values. Nothing of the submission is executed: each closure does
one arithmetic or list operation of the subset below, with the same meaning as the general handlers have. Whatever is
outside of the subset, or not a plain value, raises `NotPlain`; the iteration is undone and interpreted as usual.
"""

from __future__ import annotations

import ast

from auditor.interp.closures import Compiler, NotPlain, Read, Variables
from auditor.interp.machine import Machine
from auditor.interp.values import MISSING

PLAIN_ERRORS = (NotPlain, TypeError, ValueError, IndexError, ArithmeticError)
"""What closures raise: the general handlers decide what such an operation means."""


class Plain:
    """A compiled loop body: `step` runs one iteration in the variables of a frame, or undoes it and says so."""

    __slots__ = ("_assigned", "_run", "_undo")

    def __init__(self, compiler: Compiler, body: list[ast.stmt]) -> None:
        self._undo = compiler.undo
        self._run = compiler.block(body)
        self._assigned = tuple(compiler.assigned)

    def step(self, variables: Variables) -> bool:
        """Run one iteration; False where it was undone. Break and continue pass through as signals."""
        before = [(name, variables.get(name, MISSING)) for name in self._assigned]
        self._undo.clear()
        try:
            self._run(variables)
        except PLAIN_ERRORS:
            for restore in reversed(self._undo):
                restore()
            for name, value in before:
                if value is MISSING:
                    variables.pop(name, None)
                else:
                    variables[name] = value
            return False
        return True


def plain_body(m: Machine, body: list[ast.stmt], bound: ast.expr | None = None) -> Plain | None:
    """Return the compiled body of a loop whose target is `bound`, or None where it is outside of the subset."""
    if m.frame.scope.globals or m.frame.scope.nonlocals:
        return None
    try:
        return Plain(Compiler(m, body if bound is None else [bound, *body]), body)
    except NotPlain:
        return None


def plain_expression(m: Machine, e: ast.expr, bound: ast.AST) -> Read | None:
    """Return a compiled expression over variables of which `bound` assigns some anew each time, or None."""
    try:
        return Compiler(m, [bound, e]).expression(e)
    except NotPlain:
        return None
