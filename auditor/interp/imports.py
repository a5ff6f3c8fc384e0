"""Import statements: local modules are interpreted, everything else is a library path."""

from __future__ import annotations

import ast
from typing import Any

from auditor.apis.models import models
from auditor.interp.machine import Frame, Machine
from auditor.interp.values import External, ModuleInfo


def load_local(m: Machine, name: str) -> ModuleInfo | None:
    """Interpret a shipped module once and return it; None where the name is not shipped."""
    if name in m.modules:
        return m.modules[name]
    if name not in m.sources:
        return None
    from auditor.interp.statements import execute

    file, layer, tree = m.sources[name]
    module = ModuleInfo(name, file, layer, tree)
    module.scope.variables["__name__"] = name
    m.modules[name] = module
    m.frames.append(Frame(m.ident(), f"<module {name}>", module, module.scope))
    try:
        execute(m, tree.body)
    finally:
        m.frames.pop()
    return module


def library(name: str) -> External:
    """Return a library by its import name, under the name that it is modelled as."""
    aliases = models().aliases
    for end in range(len(name), 0, -1):
        if name[:end] in aliases and name[end : end + 1] in ("", "."):
            return External(aliases[name[:end]] + name[end:])
    return External(name)


def import_module(m: Machine, s: ast.Import) -> None:
    """Bind the names of an import statement."""
    for alias in s.names:
        local = load_local(m, alias.name)
        bound: Any = local if local is not None else library(alias.name)
        if alias.asname:
            m.frame.scope.variables[alias.asname] = bound
        else:
            root = alias.name.split(".")[0]
            m.frame.scope.variables[root] = load_local(m, root) or External(root)


def import_from(m: Machine, s: ast.ImportFrom) -> None:
    """Bind the names of a from-import; a star import of a shipped module binds its public names."""
    base = s.module or ""
    module = load_local(m, base) if base else None
    for alias in s.names:
        if alias.name == "*":
            if module is not None:
                public = {k: v for k, v in module.scope.variables.items() if not k.startswith("_")}
                m.frame.scope.variables.update(public)
            continue
        name = alias.asname or alias.name
        if module is not None and alias.name in module.scope.variables:
            m.frame.scope.variables[name] = module.scope.variables[alias.name]
            continue
        submodule = load_local(m, f"{base}.{alias.name}" if base else alias.name)
        m.frame.scope.variables[name] = submodule or library(f"{base}.{alias.name}")
