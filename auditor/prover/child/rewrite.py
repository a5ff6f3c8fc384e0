"""Rewrite a script so that its arithmetic is logged, without using any of its names.

Logged are sums and means, accumulations (`a += e`, `a = a + e`, `a.add_(e)`), stores (`a[i] = e`), list appends and the
values that f-strings print. The rewritten program computes exactly what the original does, but for sizes: numbers
that are written into it pass through the settings table where they are bound, and weights are counted as in the real
run where a number of them is held against a limit.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from auditor.prover.child.sizes import ARRAY, TABLE, allocated, bound, name_of, size_names, written

REDUCTIONS = frozenset({"sum", "mean", "nansum", "nanmean", "fsum", "average"})
"""Methods and functions whose argument is logged before they run."""


SETTING = re.compile(r"[A-Z][A-Z0-9_]+")
ASSIGNED = re.compile(r"GRAD_ACCUM(ULATION)?(_STEPS)?|EMA_DECAY")
"""Settings that scripts compute (8 divided by the number of GPUs) or write into functions, which are lowered where they
are assigned."""


@dataclass
class Sites:
    """What the rewriter numbered: keys of logged places and the statements of every function."""

    keys: list[tuple[str, str, int]] = field(default_factory=list)
    """(function, text of the target, line) by key number."""
    statements: list[tuple[str, int]] = field(default_factory=list)
    """(function, line) by statement number."""
    index: dict[tuple[str, str], int] = field(default_factory=dict)

    def shared(self, function: str, text: str, node: ast.AST) -> int:
        """Number the accumulator `text` of `function`: branches that add to one accumulator share a key."""
        known = self.index.get((function, text))
        if known is None:
            known = self.index[(function, text)] = self.place(function, text, node)
        return known

    def place(self, function: str, text: str, node: ast.AST) -> int:
        self.keys.append((function, text, getattr(node, "lineno", 0)))
        return len(self.keys) - 1


class Rewriter(ast.NodeTransformer):
    """Insert calls of the recorder, known to the program under one unguessable name."""

    def __init__(self, hook: str, sites: Sites) -> None:
        self.hook = hook
        self.run = hook + "_run"
        self.cover = hook + "_cover"
        self.sites = sites
        self.stack: list[str] = []
        self.sizes: list[dict[str, str]] = []
        """Names of sizes, and what they are of, in the module and in every function around the current place."""

    @property
    def function(self) -> str:
        return ".".join(self.stack) or "<module>"

    def call(self, method: str, *args: ast.expr) -> ast.Call:
        target = ast.Attribute(ast.Name(self.hook, ast.Load()), method, ast.Load())
        return ast.Call(target, list(args), [])

    def running(self) -> ast.expr:
        return ast.Name(self.run, ast.Load())

    # Scopes -------------------------------------------------------------------------------------------------------

    def body(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in statements:
            number = len(self.sites.statements)
            self.sites.statements.append((self.function, statement.lineno))
            mark = ast.Assign(
                [ast.Subscript(ast.Name(self.cover, ast.Load()), ast.Constant(number), ast.Store())], ast.Constant(1)
            )
            out.append(ast.copy_location(mark, statement))
            result = self.visit(statement)
            out.extend(result if isinstance(result, list) else [result])
        return out

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        self.sizes.append(size_names(node))
        self.lower_defaults(node.args)
        self.stack.append(node.name)
        self.scan_blocks(node)
        self.stack.pop()
        self.sizes.pop()
        enter = ast.Assign([ast.Name(self.run, ast.Store())], self.call("enter"))
        head = 1 if docstring(node.body) else 0
        node.body.insert(head, ast.copy_location(enter, node))
        return node

    visit_FunctionDef = visit_function
    visit_AsyncFunctionDef = visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.stack.append(node.name)
        for statement in node.body:
            self.lower_assignment(statement)
        node.body = [item for s in node.body for item in as_list(self.visit(s))]
        self.stack.pop()
        return node

    def scan_blocks(self, node: ast.AST) -> None:
        """Visit a statement's fields; lists of statements get coverage marks."""
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, self.marked(value))
            elif name in ("args", "decorator_list", "returns", "type_params") and isinstance(node, ast.FunctionDef):
                continue
            elif isinstance(value, list):
                setattr(node, name, [self.visit(v) if isinstance(v, ast.AST) else v for v in value])
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))

    def marked(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        head = statements[:1] if docstring(statements) else []
        return head + self.body(statements[len(head) :])

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case) and self.stack:
            self.scan_blocks(node)
            return node
        return super().generic_visit(node)

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self.sizes.append(size_names(node))
        for statement in node.body:
            self.lower_assignment(statement, upper_only=True)
        node.body = [item for s in node.body for item in as_list(self.visit(s))]
        head = 1 if docstring(node.body) else 0
        while head < len(node.body) and is_future(node.body[head]):
            head += 1
        enter = ast.Assign([ast.Name(self.run, ast.Store())], self.call("enter"))
        node.body.insert(head, ast.copy_location(enter, node.body[0] if node.body else node))
        return ast.fix_missing_locations(node)

    # Settings -----------------------------------------------------------------------------------------------------

    def lower(self, name: str, value: ast.expr) -> ast.expr:
        out = value
        if isinstance(value, ast.Constant) and type(value.value) in (int, float):
            out = self.call("down", ast.Constant(name.upper()), value)
        if self.sizes[-1].get(name, ARRAY) != ARRAY and written(value):
            out = self.call(self.sizes[-1][name], ast.Constant(name.upper()), out)
        return ast.copy_location(out, value)

    def lower_sizes(self, node: ast.Assign | ast.AnnAssign) -> None:
        """Lower the sizes that an assignment binds; attributes are used in other functions too."""
        for name, attribute, value in bound(node):
            kind = self.sizes[0 if attribute else -1].get(name)
            if kind == ARRAY:
                made = allocated(value)
                if made is not None:
                    made.args[0] = ast.copy_location(
                        self.call(TABLE, ast.Constant(name.upper()), made.args[0]), made.args[0]
                    )
            elif kind is not None and written(value):
                call = ast.copy_location(self.call(kind, ast.Constant(name.upper()), value), value)
                if value is node.value:
                    node.value = call
                elif isinstance(node.value, ast.Tuple):
                    node.value.elts[node.value.elts.index(value)] = call

    def lower_assignment(self, statement: ast.stmt, upper_only: bool = False) -> None:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            return
        if isinstance(target, ast.Name) and (target.id.isupper() or not upper_only):
            statement.value = self.lower(target.id, value)

    def lower_defaults(self, args: ast.arguments) -> None:
        positional = [*args.posonlyargs, *args.args]
        for arg, index in zip(reversed(positional), range(len(args.defaults) - 1, -1, -1), strict=False):
            args.defaults[index] = self.lower(arg.arg, self.visit(args.defaults[index]))
        for index, arg in enumerate(args.kwonlyargs):
            default = args.kw_defaults[index]
            if default is not None:
                args.kw_defaults[index] = self.lower(arg.arg, self.visit(default))

    # Arithmetic ---------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.lower_argparse(node)
        super().generic_visit(node)
        self.lower_reader(node)
        self.lower_keywords(node)
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in REDUCTIONS:
            key = self.sites.place(self.function, ast.unparse(func), node)
            node.func = ast.copy_location(
                self.call("method", ast.Constant(key), func.value, ast.Constant(func.attr), self.running()), func
            )
        elif isinstance(func, ast.Name) and func.id == "sum" and len(node.args) == 1:
            key = self.sites.place(self.function, "sum", node)
            node.args[0] = self.call("elements", ast.Constant(key), node.args[0], self.running())
        elif isinstance(func, ast.Attribute) and func.attr in ("append", "add_") and len(node.args) == 1:
            key = self.sites.shared(self.function, ast.unparse(func.value), node)
            node.args[0] = self.call("add", ast.Constant(key), node.args[0], self.running())
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Hold the size of weights against a number as in the real run: `w.numel() <= 65536` keeps small ones as is."""
        super().generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            left, right = node.left, node.comparators[0]
            if is_count(left) and is_plain(right):
                node.left = self.counted(left, right)
            elif is_count(right) and is_plain(left):
                node.comparators[0] = self.counted(right, left)
        return node

    def counted(self, count: ast.expr, limit: ast.expr) -> ast.expr:
        assert isinstance(count, ast.Call) and isinstance(count.func, ast.Attribute)
        name = (name_of(limit) or "numel").upper()
        return ast.copy_location(self.call("count", ast.Constant(name), count.func.value, limit), count)

    def lower_keywords(self, node: ast.Call) -> None:
        """Lower sizes that are passed by the names of parameters."""
        for keyword in node.keywords:
            kind = self.sizes[0].get(keyword.arg or "", ARRAY)
            if kind != ARRAY and written(keyword.value):
                call = self.call(kind, ast.Constant(str(keyword.arg).upper()), keyword.value)
                keyword.value = ast.copy_location(call, keyword.value)

    def lower_argparse(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument" and node.args):
            return
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            name = first.value.lstrip("-").replace("-", "_")
            for keyword in node.keywords:
                if keyword.arg == "default":
                    keyword.value = self.lower(name, keyword.value)

    def lower_reader(self, node: ast.Call) -> None:
        """Lower the default in `anything("NAME", default)`: scripts wrap the environment in readers of their own."""
        if len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
            return
        name = node.args[0].value
        if isinstance(name, str) and SETTING.fullmatch(name):
            node.args[1] = self.lower(name, node.args[1])

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        node = super().generic_visit(node)  # type: ignore[assignment]
        if isinstance(node.op, ast.Add | ast.Sub) and not isinstance(node.value, ast.Constant):
            key = self.sites.shared(self.function, ast.unparse(node.target), node)
            method = "add" if isinstance(node.op, ast.Add) else "subtract"
            node.value = self.call(method, ast.Constant(key), node.value, self.running())
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        self.lower_sizes(node)
        name = (name_of(node.target) or "").upper()
        if node.value is not None and ASSIGNED.fullmatch(name):
            node.value = self.call("down", ast.Constant(name), node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        super().generic_visit(node)
        self.lower_sizes(node)
        target, value = node.targets[0], node.value
        name = (name_of(target) or "").upper()
        if ASSIGNED.fullmatch(name):
            node.value = self.call("down", ast.Constant(name), value)
        elif isinstance(target, ast.Subscript) and not isinstance(value, ast.Constant):
            key = self.sites.shared(self.function, ast.unparse(target.value) + "[]", node)
            node.value = self.call("store", ast.Constant(key), value, self.running())
        elif isinstance(value, ast.BinOp) and isinstance(target, ast.Name) and adds_to(target.id, value):
            key = self.sites.shared(self.function, target.id, node)
            value.right = self.call("add", ast.Constant(key), value.right, self.running())
        return node

    # Printing -----------------------------------------------------------------------------------------------------

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        prefix = ""
        number = self.sites.place(self.function, "f-string", node)
        for part in node.values:
            if isinstance(part, ast.Constant):
                prefix = str(part.value)[-32:]
            elif isinstance(part, ast.FormattedValue):
                value = self.visit(part.value)
                if part.conversion == -1:
                    args = (ast.Constant(number), ast.Constant(prefix), value)
                    value = ast.copy_location(self.call("piece", *args), part.value)
                part.value = value
                prefix = ""
        return ast.copy_location(self.call("line", ast.Constant(number), node), node)


def adds_to(name: str, value: ast.BinOp) -> bool:
    """Say whether `value` is `name + something`."""
    return isinstance(value.op, ast.Add) and isinstance(value.left, ast.Name) and value.left.id == name


def is_count(node: ast.expr) -> bool:
    """Say whether `node` is `something.numel()`."""
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "numel"
    return named and not node.args  # type: ignore[attr-defined]


def is_plain(node: ast.expr) -> bool:
    """Say whether evaluating `node` twice is as good as once: a name, an attribute of one, a written number."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) or written(node)


def as_list(value: object) -> list[ast.stmt]:
    return value if isinstance(value, list) else [value]  # type: ignore[list-item]


def docstring(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def rewrite(source: str, filename: str, hook: str, sites: Sites | None = None) -> tuple[ast.Module, Sites]:
    """Return the instrumented tree of `source` and what its keys stand for, added to `sites` where given.

    Raises SyntaxError where this interpreter cannot parse `source`.
    """
    rewriter = Rewriter(hook, sites or Sites())
    tree = rewriter.visit(ast.parse(source, filename))
    return tree, rewriter.sites
