"""Tree transforms that drop what nothing reads. Each has a name, can be switched off, and says when it withholds
itself.

None changes what a script computes or prints. Renaming is not here (`naming`), nor is the rewrite of self-reads
(`selfread`)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from python_minifier.ast_annotation import add_parent
from python_minifier.rename import add_namespace
from python_minifier.transforms.constant_folding import FoldConstants

from auditor.packer.facts import Facts
from auditor.packer.pins import compiled, last_word, opaque, words
from auditor.packer.walk import inner, nodes, statements, suites

Block = list[ast.stmt]
Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A transform that was not applied, and why."""

    transform: str
    reason: str


def rewrite_blocks(tree: Node, edit: Callable[[Block, ast.AST], Block]) -> Node:
    """Replace every statement list below `tree` by `edit(list, owner)`, innermost first."""
    for node in statements(tree):
        for name in suites(node):
            value = getattr(node, name)
            if value and isinstance(value[0], ast.stmt):
                setattr(node, name, edit(value, node))
    return tree


def _idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def docstrings(tree: ast.Module, facts: Facts) -> ast.Module | Withheld:
    """Drop docstrings, other constant statements and `pass`."""
    if facts.doc_reader:
        return Withheld("docstrings", "__doc__ or help() is read")

    def edit(block: Block, owner: ast.AST) -> Block:
        kept = [s for s in block if not _idle(s)]
        return kept or ([] if isinstance(owner, ast.Module) else [ast.Expr(ast.Constant(0))])

    return rewrite_blocks(tree, edit)


def _plain_class(node: ast.ClassDef, local: set[str]) -> bool:
    """Say whether nothing is known to read the annotations of the class body (bare or torch-like bases, no
    decorator)."""
    plain = {
        "Module",
        "Optimizer",
        "object",
        "Dataset",
        "IterableDataset",
        "Function",
        "Exception",
        "Thread",
        "ABC",
    } | local
    return not node.decorator_list and not node.keywords and all(last_word(b) in plain for b in node.bases)


class _Annotations(ast.NodeTransformer):
    def __init__(self, local: set[str]) -> None:
        self.local = local
        self.owner: ast.AST | None = None

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name in suites(node):
            setattr(node, name, [self.visit(below) for below in getattr(node, name)])
        return node

    def _inside(self, node: ast.AST) -> ast.AST:
        outer, self.owner = self.owner, node
        self.generic_visit(node)
        self.owner = outer
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if opaque(node) or compiled(node):
            return node
        node.returns = None
        args = node.args
        for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg):
            if arg is not None:
                arg.annotation = None
        return self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if isinstance(self.owner, ast.ClassDef) and not _plain_class(self.owner, self.local):
            return node
        if node.value is not None:
            return ast.copy_location(ast.Assign([node.target], node.value), node)
        return node if isinstance(node.target, ast.Name) and self._only_here(node.target.id) else ast.Pass()

    def _only_here(self, name: str) -> bool:
        """Say whether the bare annotation is what makes `name` local to its function."""
        if not isinstance(self.owner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        stores = [n for n in nodes(self.owner) if isinstance(n, ast.Name) and n.id == name]
        return sum(isinstance(n.ctx, ast.Store) for n in stores) < 2


def drop_annotations(tree: ast.Module, facts: Facts) -> ast.Module | Withheld:
    """Drop annotations that nothing reads (kept: dataclass-like bodies, kernels, operator schemas, unknown
    decorators)."""
    if facts.annotation_reader:
        return Withheld("annotations", "annotations or signatures are read")
    every = {n.name: n for n in statements(tree) if isinstance(n, ast.ClassDef)}
    plain: set[str] = set()
    for _ in range(4):
        plain |= {name for name, node in every.items() if _plain_class(node, plain)}
    changed = _Annotations(plain).visit(tree)
    assert isinstance(changed, ast.Module)

    def without_pass(block: Block, owner: ast.AST) -> Block:
        return [s for s in block if not isinstance(s, ast.Pass)] or [ast.Pass()]

    return rewrite_blocks(changed, without_pass)


def imports(tree: ast.Module, facts: Facts) -> ast.Module | Withheld:
    """Join neighbouring import statements of one kind."""

    def edit(block: Block, owner: ast.AST) -> Block:
        merged: Block = []
        for statement in block:
            last = merged[-1] if merged else None
            same = isinstance(last, ast.Import) and isinstance(statement, ast.Import)
            if isinstance(last, ast.ImportFrom) and isinstance(statement, ast.ImportFrom):
                star = any(a.name == "*" for a in (*last.names, *statement.names))
                same = not star and (last.module, last.level) == (statement.module, statement.level)
            if same and isinstance(last, (ast.Import, ast.ImportFrom)):
                last.names = [*last.names, *statement.names]  # type: ignore[attr-defined]
            else:
                merged.append(statement)
        return merged

    return rewrite_blocks(tree, edit)


FOLDABLE = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp)


def _constant_only(node: ast.AST) -> bool:
    """Say whether an expression is made of constants and operators alone."""
    if isinstance(node, ast.Constant):
        return True
    return isinstance(node, FOLDABLE) and all(
        _constant_only(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)
    )


def _fold(node: ast.expr) -> ast.expr:
    """Return the shortest spelling of a constant expression.

    The folder hangs links on nodes, and CPython shares operator nodes between all trees: they are taken off again.
    """
    statement = ast.Expr(node)
    module = ast.Module([statement], [])
    touched = list(ast.walk(module))
    add_parent(module)
    add_namespace(module)
    folded = FoldConstants()(module)
    assert isinstance(folded, ast.Module)
    for one in (*touched, *ast.walk(folded)):
        for name in set(vars(one)) - {*one._fields, *one._attributes}:
            delattr(one, name)
    last = folded.body[0]
    assert isinstance(last, ast.Expr)
    return last.value


def constants(tree: ast.Module, facts: Facts) -> ast.Module | Withheld:
    """Evaluate constant arithmetic where the result is shorter; only whole constant expressions are looked at."""
    done: set[int] = set()

    def folded(value: ast.AST) -> ast.AST:
        if isinstance(value, FOLDABLE) and id(value) not in done and _constant_only(value):
            done.update(map(id, nodes(value)))
            return _fold(value)
        return value

    for node in nodes(tree):
        for name in inner(node) if id(node) not in done else ():
            value = getattr(node, name, None)
            if type(value) is list:
                value[:] = [folded(item) for item in value]
            elif isinstance(value, FOLDABLE):
                setattr(node, name, folded(value))
    return tree


def returns(tree: ast.Module, facts: Facts) -> ast.Module | Withheld:
    """Spell `return None` as `return` and drop it where it ends a function."""
    for node in statements(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value is None:
            node.value = None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and len(node.body) > 1:
            last = node.body[-1]
            if isinstance(last, ast.Return) and (last.value is None or _none(last.value)):
                node.body.pop()
    return tree


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


SAFE_IMPORTS = frozenset(
    [
        "__future__",
        "abc",
        "argparse",
        "array",
        "base64",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "gc",
        "glob",
        "gzip",
        "hashlib",
        "heapq",
        "io",
        "itertools",
        "json",
        "logging",
        "lzma",
        "math",
        "operator",
        "os",
        "pathlib",
        "pickle",
        "platform",
        "queue",
        "random",
        "re",
        "shutil",
        "statistics",
        "string",
        "struct",
        "subprocess",
        "sys",
        "tempfile",
        "textwrap",
        "threading",
        "time",
        "traceback",
        "types",
        "typing",
        "uuid",
        "warnings",
        "zlib",
    ]
)
"""Standard modules whose import has no effect that a script could notice; others are never dropped."""


def _harmless(node: ast.stmt) -> bool:
    """Say whether defining the statement's name cannot be noticed (no decorator, no evaluated default or base)."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        return not node.decorator_list and all(isinstance(d, (ast.Constant, ast.Name)) for d in defaults)
    if isinstance(node, ast.ClassDef):
        quiet = not node.decorator_list and not node.keywords
        return quiet and all(_harmless(s) or isinstance(s, ast.Pass) for s in node.body)
    return False


def unused(tree: ast.Module, facts: Facts) -> ast.Module | Withheld:
    """Drop module-level functions, classes and standard imports whose name occurs nowhere else."""
    if facts.evaluators or facts.module_readers or facts.inspects or "__all__" in words(tree):
        return Withheld("unused", "names can be reached dynamically")
    kept_strings = {word for text in facts.strings for word in text.split(".")}
    while True:
        before = len(tree.body)
        mentions = _mentions(tree)
        tree.body = [s for s in tree.body if not _droppable(s, mentions, kept_strings)] or [ast.Pass()]
        for statement in tree.body:
            _prune_import(statement, mentions, kept_strings)
        tree.body = [s for s in tree.body if not (isinstance(s, (ast.Import, ast.ImportFrom)) and not s.names)]
        if len(tree.body) == before:
            return tree


def _mentions(tree: ast.Module) -> dict[str, int]:
    found: dict[str, int] = {}
    for statement in tree.body:
        own = getattr(statement, "name", None)
        for node in nodes(statement):
            spelled = [node.id] if isinstance(node, ast.Name) else list(getattr(node, "names", []))
            for name in spelled:
                if isinstance(name, str) and name != own:
                    found[name] = found.get(name, 0) + 1
    return found


def _droppable(node: ast.stmt, mentions: dict[str, int], strings: set[str]) -> bool:
    name = getattr(node, "name", None)
    return (
        isinstance(name, str) and _harmless(node) and name not in mentions and name not in strings and name[:2] != "__"
    )


def _prune_import(node: ast.stmt, mentions: dict[str, int], strings: set[str]) -> None:
    if isinstance(node, ast.Import):
        node.names = [
            a for a in node.names if a.name not in SAFE_IMPORTS or (a.asname or a.name) in mentions or "." in a.name
        ]
    elif isinstance(node, ast.ImportFrom) and node.module in SAFE_IMPORTS - {"__future__"} and not node.level:
        node.names = [a for a in node.names if a.name == "*" or (a.asname or a.name) in mentions]


PASSES: dict[str, Callable[[ast.Module, Facts], ast.Module | Withheld]] = {
    "docstrings": docstrings,
    "annotations": drop_annotations,
    "unused": unused,
    "imports": imports,
    "constants": constants,
    "returns": returns,
}
"""Every pass by name, in the order in which they run."""

TRANSFORMS = (*PASSES, "selfread", "rename")
"""Every transform that can be switched off."""


def apply(
    tree: ast.Module, facts: Facts, skip: Sequence[str]
) -> tuple[ast.Module, tuple[str, ...], tuple[Withheld, ...]]:
    """Run the passes that are not in `skip`; return the tree, the names applied and what was withheld."""
    applied: list[str] = []
    withheld: list[Withheld] = []
    for name, run in PASSES.items():
        if name in skip:
            continue
        result = run(tree, facts)
        if isinstance(result, Withheld):
            withheld.append(result)
        else:
            tree = result
            applied.append(name)
    return tree, tuple(applied), tuple(withheld)
