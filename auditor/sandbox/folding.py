"""A bounded evaluator for the expressions that define hyper-parameters: literals, environment defaults, arithmetic.

Used on the decoded source by the parent, so that reported numbers never depend on running it. It knows only what is
written down: everything else is `UNKNOWN`, and it never calls anything but the handful of builtins listed here.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class Unknown:
    """A value that the source does not settle."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()

_STEPS = 20_000
"""Expressions evaluated per script; the largest real one needs about 3,000."""
_DEPTH = 12
_SIZE = 10_000
"""Elements or characters of a value, and bits of an integer."""

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_BUILTINS: Mapping[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "max": max,
    "min": min,
    "len": len,
    "round": round,
    "abs": abs,
    "tuple": tuple,
    "list": list,
    "sum": sum,
    "sorted": sorted,
    "set": set,
}
_TYPES: Mapping[str, Callable[..., Any]] = {"int": int, "float": float, "str": str, "bool": bool}
"""Types that scripts hand to helpers: `env("DIM", 512, int)`."""
_METHODS = frozenset(
    ("lower", "upper", "strip", "lstrip", "rstrip", "split", "startswith", "endswith", "replace", "isdigit")
)
_ENVIRONMENT_READS = ("os.environ.get", "os.getenv", "environ.get", "getenv")
_FAILURES = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


@dataclass(slots=True)
class Folder:
    """Evaluates expressions against `names`; `functions` holds the script's own helpers, by name."""

    names: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    steps: int = 0

    def fold(self, node: ast.expr | None, local: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
        """Return the value of `node` or UNKNOWN."""
        self.steps += 1
        if node is None or self.steps > _STEPS or depth > _DEPTH * 4:
            return UNKNOWN
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is None:
            return UNKNOWN
        try:
            value = handler(node, local or {}, depth + 1)
        except _FAILURES:
            return UNKNOWN
        return UNKNOWN if isinstance(value, (str, bytes, tuple, list)) and len(value) > _SIZE else value

    def dotted(self, node: ast.expr) -> str | None:
        """Return the dotted name that `node` spells, import aliases resolved; None where it is none."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        return ".".join([self.aliases.get(node.id, node.id), *reversed(parts)])

    def _known(self, values: list[Any]) -> bool:
        return not any(isinstance(value, Unknown) for value in values)

    def _constant(self, node: ast.Constant, local: Mapping[str, Any], depth: int) -> Any:
        return node.value

    def _name(self, node: ast.Name, local: Mapping[str, Any], depth: int) -> Any:
        return local.get(node.id, self.names.get(node.id, _TYPES.get(node.id, UNKNOWN)))

    def _attribute(self, node: ast.Attribute, local: Mapping[str, Any], depth: int) -> Any:
        owner = self.fold(node.value, local, depth)
        return owner.get(node.attr, UNKNOWN) if isinstance(owner, Namespace) else UNKNOWN

    def _tuple(self, node: ast.Tuple, local: Mapping[str, Any], depth: int) -> Any:
        return tuple(self.fold(item, local, depth) for item in node.elts)

    def _list(self, node: ast.List, local: Mapping[str, Any], depth: int) -> Any:
        return [self.fold(item, local, depth) for item in node.elts]

    def _set(self, node: ast.Set, local: Mapping[str, Any], depth: int) -> Any:
        return {self.fold(item, local, depth) for item in node.elts}

    def _dict(self, node: ast.Dict, local: Mapping[str, Any], depth: int) -> Any:
        return {
            self.fold(key, local, depth): self.fold(value, local, depth)
            for key, value in zip(node.keys, node.values, strict=True)
        }

    def _unaryop(self, node: ast.UnaryOp, local: Mapping[str, Any], depth: int) -> Any:
        value = self.fold(node.operand, local, depth)
        return UNKNOWN if isinstance(value, Unknown) else _UNARY[type(node.op)](value)

    def _binop(self, node: ast.BinOp, local: Mapping[str, Any], depth: int) -> Any:
        left, right = self.fold(node.left, local, depth), self.fold(node.right, local, depth)
        if not self._known([left, right]):
            return UNKNOWN
        if isinstance(node.op, (ast.Pow, ast.LShift)):
            small = isinstance(left, (int, float)) and isinstance(right, (int, float)) and 0 <= right <= 64
            if not small or abs(left) > 1 << 32:
                return UNKNOWN
            return left**right if isinstance(node.op, ast.Pow) else left << right
        if isinstance(node.op, ast.Mult) and not (_is_number(left) and _is_number(right)):
            return UNKNOWN
        value = _BINARY[type(node.op)](left, right)
        return UNKNOWN if isinstance(value, int) and value.bit_length() > _SIZE else value

    def _boolop(self, node: ast.BoolOp, local: Mapping[str, Any], depth: int) -> Any:
        value: Any = UNKNOWN
        for item in node.values:
            value = self.fold(item, local, depth)
            if isinstance(value, Unknown) or bool(value) == isinstance(node.op, ast.Or):
                return value
        return value

    def _compare(self, node: ast.Compare, local: Mapping[str, Any], depth: int) -> Any:
        values = [self.fold(item, local, depth) for item in (node.left, *node.comparators)]
        if not self._known(values):
            return UNKNOWN
        pairs = zip(node.ops, values, values[1:], strict=False)
        return all(_COMPARE[type(op)](left, right) for op, left, right in pairs)

    def _ifexp(self, node: ast.IfExp, local: Mapping[str, Any], depth: int) -> Any:
        test = self.fold(node.test, local, depth)
        if isinstance(test, Unknown):
            return UNKNOWN
        return self.fold(node.body if test else node.orelse, local, depth)

    def _subscript(self, node: ast.Subscript, local: Mapping[str, Any], depth: int) -> Any:
        owner, index = self.fold(node.value, local, depth), self.fold(node.slice, local, depth)
        return owner[index] if self._known([owner, index]) and isinstance(owner, (tuple, list, dict, str)) else UNKNOWN

    def _joinedstr(self, node: ast.JoinedStr, local: Mapping[str, Any], depth: int) -> Any:
        parts = [self.fold(part, local, depth) for part in node.values]
        return "".join(str(part) for part in parts) if self._known(parts) else UNKNOWN

    def _formattedvalue(self, node: ast.FormattedValue, local: Mapping[str, Any], depth: int) -> Any:
        return UNKNOWN if node.format_spec is not None else self.fold(node.value, local, depth)

    def _call(self, node: ast.Call, local: Mapping[str, Any], depth: int) -> Any:
        name = self.dotted(node.func)
        keywords = {item.arg: item.value for item in node.keywords if item.arg is not None}
        if name in _ENVIRONMENT_READS:
            default = node.args[1] if len(node.args) > 1 else keywords.get("default")
            return None if default is None else self.fold(default, local, depth)
        if name in ("field", "dataclasses.field"):
            return self._field(keywords, local, depth)
        arguments = [self.fold(item, local, depth) for item in node.args]
        if name is not None and name in self.functions:
            named = {key: self.fold(value, local, depth) for key, value in keywords.items()}
            return self._helper(self.functions[name], arguments, named, depth)
        if name in _GROUPS and not arguments:
            return _GROUPS[name]((key, self.fold(value, local, depth)) for key, value in keywords.items())
        if not self._known(arguments) or keywords:
            return UNKNOWN
        given = local.get(name) if name is not None else None
        for kind in _TYPES.values():
            if given is kind:
                return kind(*arguments)
        if name is not None and name in _BUILTINS:
            return _BUILTINS[name](*arguments)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            owner = self.fold(node.func.value, local, depth)
            return getattr(owner, node.func.attr)(*arguments) if isinstance(owner, str) else UNKNOWN
        return UNKNOWN

    def _field(self, keywords: Mapping[str, ast.expr], local: Mapping[str, Any], depth: int) -> Any:
        factory = keywords.get("default_factory")
        if isinstance(factory, ast.Lambda):
            return self.fold(factory.body, local, depth)
        return self.fold(keywords.get("default"), local, depth)

    def _helper(self, function: ast.FunctionDef, arguments: list[Any], named: dict[str, Any], depth: int) -> Any:
        """Evaluate a small helper such as `def env_int(name, default): return int(os.environ.get(name, default))`."""
        if depth > _DEPTH:
            return UNKNOWN
        parameters = [*function.args.posonlyargs, *function.args.args]
        local = dict(zip((item.arg for item in parameters), arguments, strict=False)) | named
        defaults = function.args.defaults
        for item, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
            local.setdefault(item.arg, self.fold(default, {}, depth))
        value = self._body(function.body, local, depth)
        return UNKNOWN if value is _FELL_THROUGH else value

    def _body(self, statements: list[ast.stmt], local: dict[str, Any], depth: int) -> Any:
        for statement in statements:
            if isinstance(statement, ast.Return):
                return None if statement.value is None else self.fold(statement.value, local, depth)
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                local[statement.targets[0].id] = self.fold(statement.value, local, depth)
            elif isinstance(statement, ast.If):
                test = self.fold(statement.test, local, depth)
                if isinstance(test, Unknown):
                    return UNKNOWN
                value = self._body(statement.body if test else statement.orelse, local, depth)
                if value is not _FELL_THROUGH:
                    return value
            elif isinstance(statement, ast.Try):
                value = self._body(statement.body, local, depth)
                if value is not _FELL_THROUGH:
                    return value
            elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                return UNKNOWN
        return _FELL_THROUGH


class Namespace(dict[str, Any]):
    """Attributes of a class, by name."""


_FELL_THROUGH: Final = object()
_GROUPS: Mapping[str | None, Callable[..., Any]] = {
    "dict": dict,
    "types.SimpleNamespace": Namespace,
    "SimpleNamespace": Namespace,
}
"""Calls whose keyword arguments are settings."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))
