"""One script out of a package: local imports are inlined in dependency order, so that a readable package can be
submitted.

Every module's top-level names move into one namespace; names that clash get the module's name behind them. What
cannot be
moved without a change of meaning (import cycles, star imports, module objects used as values, shared names that are
rebound) is refused with the reason. Works on trees; the result is printed afresh, so comments go.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from auditor.errors import FrontendError, IntakeError
from auditor.frontend.parse import decode
from auditor.limits import PackLimits
from auditor.packer.printing import portable
from auditor.packer.scopes import Binding, ScopeTree, analyse

Key = tuple[str, str]
"""A module's dotted name and a name in it."""


@dataclass(slots=True)
class _Module:
    """A module of the package on its way into the script."""

    name: str
    tree: ast.Module
    is_package: bool
    scopes: ScopeTree
    needs: list[str] = field(default_factory=list)
    aliases: dict[Binding, Key] = field(default_factory=dict)
    """Names bound by local imports -> what they mean ("" as name: the module itself)."""


class _Bundler:
    def __init__(self, folder: Path, limits: PackLimits) -> None:
        self.root = folder.resolve()
        self.limits = limits
        self.modules: dict[str, _Module] = {}
        self.order: list[str] = []
        self.size = 0
        self.sources: dict[ast.AST, str] = {}
        """What each imported name is, spelled in full."""

    def path(self, name: str) -> Path | None:
        """Return the file of a local module, None where there is none."""
        parts = name.split(".")
        if parts[0] == self.root.name:
            parts = parts[1:]
        elif not (self.root / f"{parts[0]}.py").is_file() and not (self.root / parts[0]).is_dir():
            return None
        base = self.root.joinpath(*parts)
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                return candidate
        return None

    def canonical(self, name: str) -> str:
        return name if name.split(".")[0] == self.root.name else f"{self.root.name}.{name}"

    def load(self, name: str, trail: tuple[str, ...] = ()) -> None:
        """Load a module and all it needs, dependencies first."""
        if name in trail:
            raise FrontendError(f"import cycle: {' -> '.join((*trail, name))}")
        if name in self.modules:
            return
        path = self.path(name)
        if path is None or len(self.modules) >= self.limits.package_files:
            raise IntakeError(f"{name}: no such module, or more than {self.limits.package_files} of them")
        raw = path.read_bytes()
        self.size += len(raw)
        try:
            tree = ast.parse(decode(raw).removeprefix("\ufeff"))
        except (SyntaxError, UnicodeDecodeError, LookupError, ValueError) as error:
            raise FrontendError(f"{path.name} does not parse: {error}") from error
        module = _Module(name, tree, path.name == "__init__.py", analyse(tree))
        self.modules[name] = module
        self._link(module)
        for needed in module.needs:
            self.load(needed, (*trail, name))
        self.order.append(name)

    def _base(self, module: _Module, node: ast.ImportFrom) -> str:
        """Return the absolute module of a `from` import, "" where it is not local."""
        if not node.level:
            name = node.module or ""
            return self.canonical(name) if self.path(name) else ""
        parts = module.name.split(".")
        parts = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def _link(self, module: _Module) -> None:
        """Record what local imports mean and which modules they need."""
        sites = {s.node: b for b in module.scopes.bindings() for s in b.sites if isinstance(s.node, ast.alias)}
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                origin = f"{node.module}:" if isinstance(node, ast.ImportFrom) else ""
                self.sources.update({a: f"{origin}{a.name}" for a in node.names})
            if isinstance(node, ast.ImportFrom) and (base := self._base(module, node)):
                for alias in node.names:
                    if alias.name == "*":
                        raise FrontendError(f"{module.name}: star import of a local module")
                    inner = f"{base}.{alias.name}"
                    is_module = self.path(inner) is not None
                    module.aliases[sites[alias]] = (inner, "") if is_module else (base, alias.name)
                    self._need(module, inner if is_module else base)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if self.path(alias.name) is None:
                        continue
                    if alias.asname is None and "." in alias.name:
                        raise FrontendError(f"{module.name}: `import {alias.name}` needs `as` to be bundled")
                    module.aliases[sites[alias]] = (self.canonical(alias.name), "")
                    self._need(module, self.canonical(alias.name))

    def _need(self, module: _Module, name: str) -> None:
        parents = [".".join(name.split(".")[:i]) for i in range(1, name.count(".") + 2)]
        for one in parents:
            inside = module.name == one or module.name.startswith(one + ".")
            if self.path(one) is not None and not inside and one not in module.needs:
                module.needs.append(one)

    def resolve(self, key: Key) -> Key:
        """Follow re-exports to the module that defines a name."""
        module, name = key
        if not name:
            return key
        if module not in self.modules:
            raise FrontendError(f"{module} is imported before it can be loaded")
        binding = self.modules[module].scopes.module.bindings.get(name)
        if binding is None:
            raise FrontendError(f"{module} has no top-level name {name}")
        target = self.modules[module].aliases.get(binding)
        return self.resolve(target) if target is not None else key


def _external(binding: Binding, sources: dict[ast.AST, str]) -> str:
    """Return what an import of another distribution binds, "" for anything else: equal ones may share a name."""
    if binding.roles - {"import", "submodule"}:
        return ""
    found = {
        sources[s.node].split(".")[0] if s.role == "submodule" else sources[s.node] for s in binding.sites if s.binds
    }
    return found.pop() if len(found) == 1 else ""


def _final_names(bundler: _Bundler, entry: str) -> dict[Key, str]:
    """Choose the top-level name of every binding of every module; the entry keeps its own."""
    local = {b.name for m in bundler.modules.values() for b in m.scopes.bindings() if b.scope.kind != "module"}
    local |= {name for m in bundler.modules.values() for name in m.scopes.builtins.bindings}
    taken: dict[str, str] = {}
    final: dict[Key, str] = {}
    for name in (entry, *(n for n in bundler.order if n != entry)):
        module = bundler.modules[name]
        for binding in module.scopes.module.bindings.values():
            if binding in module.aliases:
                continue
            same, wanted = _external(binding, bundler.sources), binding.name
            owner = f"import {same}" if same else name
            suffix = name.rpartition(".")[2]
            exported = name != entry and not same
            while taken.get(wanted, owner) != owner or (exported and wanted in local and not wanted.startswith("__")):
                wanted = f"{wanted}_{suffix}"
            taken[wanted] = owner
            final[(name, binding.name)] = wanted
    return final


def _rebound(binding: Binding) -> bool:
    return any(isinstance(site.node, ast.Global) for site in binding.sites)


def _spell(bundler: _Bundler, module: _Module, final: dict[Key, str]) -> None:
    """Write final names into a module: its own bindings, imported names, attributes of imported modules."""
    for binding in module.scopes.module.bindings.values():
        if binding not in module.aliases and final[(module.name, binding.name)] != binding.name:
            for site in binding.sites:
                site.write(final[(module.name, binding.name)])
    for binding, key in module.aliases.items():
        target, name = bundler.resolve(key)
        if name:
            if _rebound(bundler.modules[target].scopes.module.bindings[name]):
                raise FrontendError(f"{target}.{name} is rebound by `global` and imported elsewhere")
            for site in binding.sites:
                if not isinstance(site.node, ast.alias):
                    site.write(final[(target, name)])
        else:
            _spell_module(bundler, module, binding, target, final)


def _spell_module(bundler: _Bundler, module: _Module, binding: Binding, target: str, final: dict[Key, str]) -> None:
    """Replace `mod.name` by the name itself."""
    users = {id(s.node) for s in binding.sites if isinstance(s.node, ast.Name)}
    done: set[int] = set()
    for node in ast.walk(module.tree):
        for fieldname, value in ast.iter_fields(node):
            items = value if isinstance(value, list) else [value]
            for index, item in enumerate(items):
                if not (isinstance(item, ast.Attribute) and id(item.value) in users):
                    continue
                if not isinstance(item.ctx, ast.Load):
                    raise FrontendError(f"{module.name} assigns to an attribute of module {target}")
                place, name = bundler.resolve((target, item.attr))
                done.add(id(item.value))
                new = ast.copy_location(ast.Name(final[(place, name)], ast.Load()), item)
                if isinstance(value, list):
                    value[index] = new
                else:
                    setattr(node, fieldname, new)
    if users - done:
        raise FrontendError(f"{module.name} uses module {target} as a value")


class _Strip(ast.NodeTransformer):
    """Drop local imports, future imports and, outside the entry, the main guard and `__all__`."""

    def __init__(self, module: _Module, entry: bool) -> None:
        self.local = {s.node for b in module.aliases for s in b.sites}
        self.entry = entry
        self.futures: list[str] = []

    def _import(self, node: ast.Import | ast.ImportFrom) -> ast.AST:
        node.names = [a for a in node.names if a not in self.local]
        return node if node.names else ast.Pass()

    def visit_Import(self, node: ast.Import) -> ast.AST:
        return self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.module == "__future__":
            self.futures += [a.name for a in node.names]
            return ast.Pass()
        return self._import(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        guard = (
            isinstance(node.test, ast.Compare)
            and isinstance(node.test.left, ast.Name)
            and node.test.left.id == "__name__"
        )
        if guard and not self.entry and not node.orelse:
            return ast.Pass()
        self.generic_visit(node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        every = [t.id for t in node.targets if isinstance(t, ast.Name)]
        return ast.Pass() if every == ["__all__"] else node


def _merge(bundler: _Bundler, entry: str) -> ast.Module:
    """Put the modules' statements one after the other, equal imports once."""
    body: list[ast.stmt] = []
    futures: set[str] = set()
    seen: set[str] = set()
    for name in bundler.order:
        module = bundler.modules[name]
        strip = _Strip(module, name == entry)
        tree = strip.visit(module.tree)
        futures |= set(strip.futures)
        for statement in tree.body:
            text = ast.dump(statement)
            repeated = isinstance(statement, (ast.Import, ast.ImportFrom)) and text in seen
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not (repeated or docstring or isinstance(statement, ast.Pass)):
                body.append(statement)
            seen.add(text)
    if futures:
        body.insert(0, ast.ImportFrom("__future__", [ast.alias(f) for f in sorted(futures)], 0))
    return ast.fix_missing_locations(ast.Module(body, []))


def bundle(folder: Path, entry: str, limits: PackLimits) -> tuple[str, int]:
    """Return one script for `python -m FOLDER.entry`, and the bytes of the modules it was made of.

    `entry` is a module name inside the folder. Raises FrontendError or IntakeError with the reason where the package
    cannot become one script.
    """
    bundler = _Bundler(folder, limits)
    name = entry if entry.split(".")[0] == bundler.root.name and "." in entry else f"{bundler.root.name}.{entry}"
    for depth in range(1, name.count(".") + 1):
        parent = ".".join(name.split(".")[:depth])
        if bundler.path(parent) is not None:
            bundler.load(parent)
    bundler.load(name)
    final = _final_names(bundler, name)
    for module in bundler.modules.values():
        _spell(bundler, module, final)
    tree = _merge(bundler, name)
    readers = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & {"files", "get_data", "read_resource"}
    if readers and any(
        "resources" in ast.dump(n) for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))
    ):
        raise FrontendError("the package reads its own data files; they cannot travel in one script")
    return portable(ast.unparse(tree)) + "\n", bundler.size
