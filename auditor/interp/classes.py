"""Class statements: bodies are executed once, settings that logs show are put in place of code defaults."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from auditor.interp.expressions import evaluate
from auditor.interp.machine import Frame, Machine
from auditor.interp.values import Class, External, Function, Scope


def make_class(m: Machine, s: ast.ClassDef, execute: Callable[[Machine, list[ast.stmt]], None]) -> Class:
    """Execute a class body and return the class value."""
    made = Class(s, m.frame.module, tuple(evaluate(m, base) for base in s.bases))
    for decorator in s.decorator_list:
        value = evaluate(m, decorator)
        if isinstance(value, External) and value.path.endswith("dataclass"):
            made.dataclass = True
    scope = Scope(m.frame.scope, made.attrs)
    m.frames.append(Frame(m.ident(), s.name, m.frame.module, scope))
    try:
        execute(m, s.body)
    finally:
        m.frames.pop()
    for statement in s.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            made.fields.append(statement.target.id)
    for value in made.attrs.values():
        if isinstance(value, Function):
            value.owner = made
            value.scope = m.frame.scope
    apply_overrides(m, made.attrs)
    return made


def apply_overrides(m: Machine, attrs: dict[str, Any]) -> None:
    """Replace settings by what the logs show they were in the run; only plain scalars are settings."""
    for name, shown in m.world.overrides.items():
        if name in attrs and isinstance(attrs[name], (bool, int, float, str, type(None))):
            attrs[name] = shown
