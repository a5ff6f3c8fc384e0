"""Rename whatever a script names itself, and nothing that the outside sees: settings, log templates, library names."""

from __future__ import annotations

import ast
import builtins
import io
import re

OUTSIDE = {
    *dir(builtins), *dir(str), *dir(list), *dir(dict), *dir(set), *dir(bytes), *dir(io.TextIOWrapper), *dir(int),
    "forward", "step", "parameters", "named_parameters", "train", "eval", "state", "param_groups", "weight", "bias",
    "grad", "data", "shape", "size", "numel", "add", "mul", "sum", "mean", "result", "backward", "detach", "T", "mT",
    "state_dict", "load_state_dict", "modules", "named_modules", "device", "dtype", "ndim", "dim", "view", "norm",
    "exp", "log", "to", "main", "run", "std", "all", "any", "max", "min", "prod", "diag", "float", "long", "bool",
    "half", "double", "int", "cpu", "cuda", "chunk", "split", "stack", "clamp", "copy", "clone", "square", "item",
}  # fmt: skip


class _Own(ast.NodeVisitor):
    """Collect the names that a module defines: variables, functions, classes, parameters, attributes."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.imported: set[str] = set()
        self.keywords: set[str] = set()
        self.settings: set[str] = set()
        self.words: set[str] = set()

    def visit_Import(self, node: ast.Import) -> None:
        self.imported.update((alias.asname or alias.name).split(".")[0] for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imported.update(alias.asname or alias.name for alias in node.names)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self.names.add(node.arg)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg:
            self.keywords.add(node.arg)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.words.update(re.findall(r"\w+", node.value))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names.add(node.name)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.names.add(node.name)
        for part in node.body:
            if isinstance(part, ast.FunctionDef):
                self.attributes.add(part.name)
            for name in (n for n in ast.walk(part) if isinstance(part, (ast.Assign, ast.AnnAssign))):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                    self.settings.add(name.id)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            self.attributes.add(node.attr)
        self.generic_visit(node)


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str], attributes: dict[str, str]):
        self.names, self.attributes = names, attributes
        self.methods: set[int] = set()

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self.generic_visit(node)
        node.arg = self.names.get(node.arg, node.arg)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        node.names = [self.names.get(name, name) for name in node.names]
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self.names.get(name, name) for name in node.names]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = self.attributes.get(node.attr, node.attr)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.name = (self.attributes if id(node) in self.methods else self.names).get(node.name, node.name)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.methods.update(id(part) for part in node.body)
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        node.name = self.names.get(node.name, node.name) if node.name else None
        return node


def rename_everything(source: str) -> str | None:
    """Give every own name a number; names that strings, keywords or the configuration class spell stay."""
    tree = ast.parse(source)
    own = _Own()
    own.visit(tree)
    fixed = own.imported | own.keywords | own.settings | OUTSIDE
    attributes = sorted(name for name in own.attributes - fixed - own.words if not name.startswith("__"))
    names = sorted(name for name in own.names - fixed if not name.startswith("__"))
    if not names:
        return None
    changed = _Rename(
        {name: f"v{i}" for i, name in enumerate(names)},
        {name: f"a{i}" for i, name in enumerate(attributes)},
    ).visit(tree)
    return ast.unparse(ast.fix_missing_locations(changed))
