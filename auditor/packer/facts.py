"""What a script does that a rename or a rewrite could disturb: one read-only walk over its tree.

Facts only: what follows from them is decided in `pins` (names), `passes` (annotations, docstrings) and `selfread`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from auditor.packer.walk import nodes

EVALUATORS = frozenset({"eval", "exec", "execfile"})
NAME_ATTRIBUTES = frozenset({"__name__", "__qualname__", "__class__", "__module__", "__repr__", "__mro__", "__bases__"})
SOURCE_READERS = frozenset({"triton", "inspect", "getsource", "linecache", "script"})


@dataclass(frozen=True, slots=True)
class Facts:
    """Hazards of one module; every set holds plain names."""

    keywords: frozenset[str]
    """Names used as keywords in calls (`f(name=...)`), or as keys of `dict(...)`."""
    strings: frozenset[str]
    """String constants, as a whole."""
    attributes: frozenset[str]
    """Attribute names read or written, and names bound in class bodies."""
    names: frozenset[str]
    """Names read anywhere."""
    star_call: bool
    """Some call passes `**mapping`."""
    evaluators: tuple[ast.Call, ...]
    """Calls of eval or exec: they see the names of their scopes and of the module."""
    local_readers: tuple[ast.Call, ...]
    """Calls of locals(), vars() or dir() without argument: they see the names of their own scope."""
    module_readers: tuple[str, ...]
    """Uses that can reach module names by string: "globals", "sys.modules", "__main__"."""
    name_readers: tuple[str, ...]
    """Uses that can print the name of a class or function: "__name__", "__class__", "pickle"."""
    doc_reader: bool
    annotation_reader: bool
    source_reader: bool
    """Something looks up source lines: triton, inspect, linecache, torch.jit.script."""
    inspects: bool
    """`inspect` or `signature` is in use: parameter names are visible."""


class _Walk:
    def __init__(self) -> None:
        self.keywords: set[str] = set()
        self.strings: set[str] = set()
        self.attributes: set[str] = set()
        self.names: set[str] = set()
        self.modules: set[str] = set()
        self.evaluators: list[ast.Call] = []
        self.local_readers: list[ast.Call] = []
        self.module_readers: list[str] = []
        self.name_readers: list[str] = []
        self.star_call = False

    def visit_Call(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                self.star_call = True
            else:
                self.keywords.add(keyword.arg)
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in EVALUATORS:
            self.evaluators.append(node)
        elif called in ("vars", "dir", "locals") and not node.args:
            self.local_readers.append(node)
        elif called == "globals":
            self.module_readers.append(called)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.attributes.add(node.attr)
        base = node.value.id if isinstance(node.value, ast.Name) else ""
        if node.attr in NAME_ATTRIBUTES:
            self.name_readers.append(node.attr)
        if (node.attr in ("modules", "__main__") and base == "sys") or node.attr == "__globals__":
            self.module_readers.append(f"{base}.{node.attr}")

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.names.add(node.id)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.strings.add(node.value)

    def visit_Import(self, node: ast.Import) -> None:
        self.modules.update(alias.name.split(".")[0] for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.modules.add((node.module or "").split(".")[0])
        self.modules.update(alias.name for alias in node.names)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            targets: list[ast.expr] = []
            if isinstance(statement, ast.Assign):
                targets = statement.targets
            elif isinstance(statement, ast.AnnAssign):
                targets = [statement.target]
            elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.attributes.add(statement.name)
            self.attributes.update(t.id for t in targets if isinstance(t, ast.Name))


def gather(tree: ast.Module) -> Facts:
    """Collect the facts of `tree`."""
    walk = _Walk()
    named = {name: getattr(walk, f"visit_{name}", None) for name in vars(ast)}
    looks = {getattr(ast, name): look for name, look in named.items() if look is not None}
    for node in nodes(tree):
        look = looks.get(type(node))
        if look is not None:
            look(node)
    pickles = [m for m in ("pickle", "cloudpickle", "multiprocessing") if m in walk.modules]
    seen = walk.modules | walk.attributes | walk.names
    return Facts(
        keywords=frozenset(walk.keywords),
        strings=frozenset(walk.strings),
        attributes=frozenset(walk.attributes),
        names=frozenset(walk.names),
        star_call=walk.star_call,
        evaluators=tuple(walk.evaluators),
        local_readers=tuple(walk.local_readers),
        module_readers=tuple(sorted(set(walk.module_readers) | ({"__main__"} & walk.modules))),
        name_readers=tuple(sorted({*walk.name_readers, *pickles})),
        doc_reader="__doc__" in seen or "help" in walk.names,
        annotation_reader=bool({"__annotations__", "get_type_hints", "inspect"} & seen),
        source_reader=bool(SOURCE_READERS & seen),
        inspects=bool({"inspect", "signature", "__code__", "getcallargs"} & seen),
    )
