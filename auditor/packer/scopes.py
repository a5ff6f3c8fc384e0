"""Who binds which name where: the scope tree that renaming needs.

Resolves names as the language does (class scopes are skipped from inside functions, comprehensions have their own
scope,
`global` and `nonlocal` are followed). It only reads the tree; choosing new names is `naming`, refusing them is `pins`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from auditor.packer.walk import children

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(eq=False, slots=True)
class Scope:
    """One namespace: "module", "function" (lambdas too), "class" or "comprehension"; "builtins" is the root."""

    kind: str
    node: ast.AST | None
    parent: Scope | None
    bindings: dict[str, Binding] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    """Names under a `global` or `nonlocal` statement -> "global" or "nonlocal"."""


@dataclass(eq=False, slots=True)
class Binding:
    """A name of one scope with every place that spells it."""

    name: str
    scope: Scope
    sites: list[Site] = field(default_factory=list)
    occupied: dict[Scope, None] = field(default_factory=dict)
    """Scopes in which the new name must not mean anything else (insertion-ordered set)."""
    roles: set[str] = field(default_factory=set)
    """How it is bound: "argument", "vararg", "posonly", "function", "class", "import", "submodule", "assign", ..."""
    pinned: str = ""
    """Why it keeps its name; empty where it may change."""


@dataclass(frozen=True, slots=True)
class Site:
    """One spelling of a name: attribute `attribute` of `node`, item `index` where that attribute is a list."""

    node: ast.AST
    attribute: str
    scope: Scope
    binds: bool
    index: int | None = None
    role: str = "assign"

    def read(self) -> str:
        value = getattr(self.node, self.attribute)
        return str(value if self.index is None else value[self.index])

    def write(self, name: str) -> None:
        """Spell the name anew; an import gets an `as` clause."""
        if isinstance(self.node, ast.alias):
            self.node.asname = None if name == self.node.name else name
        elif self.index is None:
            setattr(self.node, self.attribute, name)
        else:
            getattr(self.node, self.attribute)[self.index] = name


@dataclass(frozen=True, slots=True)
class ScopeTree:
    """Every scope and binding of a module; `builtins` holds the names that nothing in the module binds."""

    module: Scope
    builtins: Scope
    scopes: tuple[Scope, ...]
    by_node: dict[ast.AST, Scope]
    star_imports: bool

    def bindings(self) -> Iterable[Binding]:
        """Yield the bindings of the module in a stable order, builtins last."""
        for scope in (*self.scopes, self.builtins):
            yield from scope.bindings.values()


class _Collector:
    """Walk the tree once, recording scopes and sites; resolution follows when all bindings are known."""

    def __init__(self) -> None:
        self.builtins = Scope("builtins", None, None)
        self.scopes: list[Scope] = []
        self.by_node: dict[ast.AST, Scope] = {}
        self.sites: list[Site] = []
        self.star = False
        self.scope = self.builtins
        named = {name: getattr(self, f"visit_{name}", None) for name in vars(ast)}
        self.visits = {getattr(ast, name): visit for name, visit in named.items() if visit is not None}

    def visit(self, node: ast.AST) -> None:
        """Record a node, or what is below one of a kind that neither names anything nor opens a scope."""
        known = self.visits.get(type(node))
        if known is None:
            self.below(node)
        else:
            known(node)

    def below(self, node: ast.AST) -> None:
        for child in children(node):
            self.visit(child)

    def enter(self, kind: str, node: ast.AST) -> Scope:
        scope = Scope(kind, node, self.scope)
        self.scopes.append(scope)
        self.by_node[node] = scope
        return scope

    def site(self, node: ast.AST, attribute: str, binds: bool, role: str = "assign", index: int | None = None) -> None:
        self.sites.append(Site(node, attribute, self.scope, binds, index, role))

    def inside(self, scope: Scope, nodes: Iterable[ast.AST | None]) -> None:
        outer, self.scope = self.scope, scope
        for node in nodes:
            if node is not None:
                self.visit(node)
        self.scope = outer

    def visit_Module(self, node: ast.Module) -> None:
        self.inside(self.enter("module", node), node.body)

    def visit_Name(self, node: ast.Name) -> None:
        self.site(node, "id", not isinstance(node.ctx, ast.Load))

    def _function(self, node: FunctionNode) -> None:
        args = node.args
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *(a for a in (args.vararg, args.kwarg) if a)]
        for outside in (*args.defaults, *args.kw_defaults, *(a.annotation for a in every)):
            if outside is not None:
                self.visit(outside)
        scope = self.enter("function", node)
        outer, self.scope = self.scope, scope
        for arg in every:
            splat = arg is args.vararg or arg is args.kwarg
            role = "vararg" if splat else "posonly" if arg in args.posonlyargs else "argument"
            role = "kwonly" if arg in args.kwonlyargs else role
            self.site(arg, "arg", True, role)
        self.scope = outer
        self.inside(scope, node.body if isinstance(node.body, list) else [node.body])

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        if node.returns is not None:
            self.visit(node.returns)
        self.site(node, "name", True, "function")
        self._function(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._definition(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outside in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(outside)
        self.site(node, "name", True, "class")
        self.inside(self.enter("class", node), node.body)

    def _comprehension(self, node: Comprehension) -> None:
        first, *rest = node.generators
        self.visit(first.iter)
        results: list[ast.AST] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        inner: list[ast.AST] = [first.target, *first.ifs, *rest, *results]
        self.inside(self.enter("comprehension", node), inner)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        outer = self.scope
        while self.scope.kind == "comprehension" and self.scope.parent is not None:
            self.scope = self.scope.parent
        binding_scope, self.scope = self.scope, outer
        self.inside(binding_scope, [node.target])

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            dotted = "." in alias.name and alias.asname is None
            self.site(alias, "name" if alias.asname is None else "asname", True, "submodule" if dotted else "import")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.star = True
            elif node.module != "__future__":
                self.site(alias, "name" if alias.asname is None else "asname", True, "import")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self.site(node, "name", True)
        self.below(node)

    def visit_Global(self, node: ast.Global) -> None:
        for index, name in enumerate(node.names):
            self.scope.declared[name] = "global"
            self.site(node, "names", False, index=index)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        for index, name in enumerate(node.names):
            self.scope.declared[name] = "nonlocal"
            self.site(node, "names", False, index=index)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name is not None:
            self.site(node, "name", True)
        self.below(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self.site(node, "name", True)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest is not None:
            self.site(node, "rest", True)
        self.below(node)


def _spelled(site: Site) -> str:
    name = site.read()
    return name.split(".")[0] if site.role == "submodule" else name


def _home(scope: Scope, name: str, module: Scope) -> Scope | None:
    """Return the scope whose binding `name` means in `scope`, None where nothing in the module binds it."""
    declared = scope.declared.get(name)
    if declared == "global":
        return module
    current: Scope | None = scope.parent if declared == "nonlocal" else scope
    while current is not None and current.kind != "builtins":
        visible = current.kind != "class" or current is scope
        if visible and name in current.bindings and current.declared.get(name) is None:
            return current
        if visible and current.declared.get(name) == "global" and current is not scope:
            return module
        current = current.parent
    return None


def _binding(scope: Scope, name: str) -> Binding:
    return scope.bindings.setdefault(name, Binding(name, scope))


def _attach(site: Site, module: Scope, builtins: Scope) -> None:
    name = _spelled(site)
    home = _home(site.scope, name, module) or builtins
    binding = _binding(home, name)
    binding.sites.append(site)
    if site.binds:
        binding.roles.add(site.role)
    scope: Scope | None = site.scope
    while scope is not None:
        binding.occupied[scope] = None
        if scope is home:
            break
        scope = scope.parent


def _pin_class_shadows(scopes: Iterable[Scope], module: Scope) -> None:
    """Pin what a class body may read under the name of its own attribute (`x = x`): lookup there is dynamic."""
    for scope in scopes:
        for name, binding in scope.bindings.items() if scope.kind == "class" else ():
            binding.pinned = "attribute of a class"
            outer = _home(scope.parent, name, module) if scope.parent else None
            if outer is not None:
                outer.bindings[name].pinned = "shadowed inside a class body"


def analyse(tree: ast.Module) -> ScopeTree:
    """Resolve every name of `tree`."""
    collector = _Collector()
    collector.visit(tree)
    module = collector.scopes[0]
    for site in collector.sites:
        declared = site.scope.declared.get(_spelled(site))
        if declared == "global":
            _binding(module, _spelled(site))
        elif site.binds and declared is None:
            _binding(site.scope, _spelled(site))
    for site in collector.sites:
        _attach(site, module, collector.builtins)
    for binding in collector.builtins.bindings.values():
        binding.pinned = "not bound in the module"
    _pin_class_shadows(collector.scopes, module)
    return ScopeTree(module, collector.builtins, tuple(collector.scopes), collector.by_node, collector.star)
