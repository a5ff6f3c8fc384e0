"""Which names must keep their spelling, each with its reason. Attributes, keywords and strings are never candidates
at all.

A pin is cheap (a few bytes), a wrong rename is a broken run: every doubt ends in a pin.
"""

from __future__ import annotations

import ast
import builtins

from auditor.packer.facts import Facts
from auditor.packer.scopes import Binding, Scope, ScopeTree
from auditor.packer.walk import nodes

COMPILING = frozenset(
    [
        "triton",
        "jit",
        "autotune",
        "heuristics",
        "custom_op",
        "register_fake",
        "register_kernel",
        "register_autograd",
        "impl",
        "impl_abstract",
        "script",
        "triton_op",
        "library",
        "define",
    ]
)
"""Decorator words under which the source, the annotations or the parameter names of a function are read."""

PLAIN_DECORATORS = frozenset(
    [
        "staticmethod",
        "classmethod",
        "property",
        "cached_property",
        "no_grad",
        "inference_mode",
        "enable_grad",
        "compile",
        "lru_cache",
        "cache",
        "wraps",
        "contextmanager",
        "total_ordering",
        "abstractmethod",
        "override",
        "disable",
        "setter",
    ]
)
"""Decorators known to look neither at parameter names nor at annotations (last word of the dotted name)."""

LIBRARY_METHODS = frozenset(
    [
        "state_dict",
        "load_state_dict",
        "named_parameters",
        "named_buffers",
        "named_modules",
        "parameters",
        "buffers",
        "modules",
        "children",
        "apply",
        "to",
        "cuda",
        "cpu",
        "train",
        "eval",
        "requires_grad_",
        "register_buffer",
        "register_parameter",
        "extra_repr",
        "add_param_group",
        "sample",
        "fit",
        "_load_from_state_dict",
        "_save_to_state_dict",
        "__torch_function__",
        "__torch_dispatch__",
        "__exit__",
        "__aexit__",
        "format",
        "emit",
    ]
)
"""Methods that a library base class may call with keywords of its own."""


FORMATTERS = frozenset({"print", "str", "repr", "ascii", "format", "log", "log0", "info", "write", "dumps"})


def words(node: ast.AST) -> set[str]:
    """Return every identifier in an expression (names and attributes)."""
    below = nodes(node)
    found = {n.id for n in below if isinstance(n, ast.Name)}
    return found | {n.attr for n in below if isinstance(n, ast.Attribute)}


def last_word(node: ast.expr) -> str:
    """Return the last identifier of a dotted name or of the callee of a call, "" for anything else."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def decorators(node: ast.AST) -> list[ast.expr]:
    return list(getattr(node, "decorator_list", []))


def compiled(node: ast.AST) -> bool:
    """Say whether a decorator of the function reads its source, annotations or signature."""
    return any(words(d) & COMPILING for d in decorators(node))


def opaque(node: ast.AST) -> bool:
    """Say whether a decorator of the function or class is not known to ignore names."""
    return any(last_word(d) not in PLAIN_DECORATORS for d in decorators(node))


def _enclosing(scope: Scope | None) -> list[Scope]:
    found = []
    while scope is not None:
        found.append(scope)
        scope = scope.parent
    return found


def _local_classes(tree: ScopeTree) -> set[str]:
    return {s.node.name for s in tree.scopes if isinstance(s.node, ast.ClassDef)}


def _external_base(node: ast.ClassDef, local: set[str]) -> bool:
    return any(last_word(base) not in local for base in node.bases)


def _argument_reason(binding: Binding, facts: Facts, local: set[str]) -> str:
    """Return why a parameter keeps its name, "" where no caller can spell it."""
    scope, name = binding.scope, binding.name
    if binding.roles & {"vararg", "posonly"} and not facts.inspects:
        return ""
    if name in facts.keywords:
        return "used as a call keyword"
    if name in facts.strings:
        return "equal to a string"
    if facts.star_call and name in facts.attributes:
        return "may arrive through **mapping"
    if facts.inspects:
        return "inspect is in use"
    node = scope.node
    if node is not None and opaque(node):
        return "unknown decorator"
    owner = scope.parent.node if scope.parent is not None else None
    if isinstance(owner, ast.ClassDef) and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if opaque(owner):
            return "class with an unknown decorator"
        if _external_base(owner, local) and node.name in LIBRARY_METHODS:
            return "method that a library calls"
    return ""


def _makes(value: ast.AST, local: set[str]) -> bool:
    return any(isinstance(n, ast.Call) and last_word(n.func) in local for n in nodes(value))


def _prints_objects(tree: ScopeTree, local: set[str]) -> bool:
    """Say whether an instance of a class of this module may be formatted as text (its repr spells the class name)."""
    module = tree.module.node or ast.Module([], [])
    holders: set[str] = set()
    shown: list[ast.expr] = []
    for node in nodes(module):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None and _makes(node.value, local):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            holders |= {last_word(e) for t in targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])}
        elif isinstance(node, ast.FormattedValue):
            shown.append(node.value)
        elif isinstance(node, ast.Call) and last_word(node.func) in FORMATTERS:
            shown.extend(node.args)
    return any(last_word(n) in holders | local for n in shown)


def _module_reason(binding: Binding, tree: ScopeTree, facts: Facts, prints: bool) -> str:
    if facts.module_readers:
        return f"{facts.module_readers[0]} reaches module names"
    if tree.star_imports:
        return "star import"
    return _definition_reason(binding, facts, prints)


def _definition_reason(binding: Binding, facts: Facts, prints: bool) -> str:
    if "class" in binding.roles and (facts.name_readers or prints):
        return f"class name may be printed ({(*facts.name_readers, 'formatted object')[0]})"
    if "function" in binding.roles and ({"__name__", "__qualname__"} & set(facts.name_readers)):
        return "function name may be printed"
    return ""


def _reason(
    binding: Binding, tree: ScopeTree, facts: Facts, keep: frozenset[str], prints: bool, local: set[str]
) -> str:
    name = binding.name
    if name in keep:
        return "kept by request"
    if name.startswith("__") or name in ("_",):
        return "special name"
    if "kwonly" in binding.roles:
        return "keyword-only"
    if "submodule" in binding.roles:
        return "dotted import"
    if hasattr(builtins, name):
        return "shadows a builtin"
    if binding.scope is tree.module:
        return _module_reason(binding, tree, facts, prints)
    if binding.roles & {"argument", "posonly", "vararg"}:
        return _argument_reason(binding, facts, local)
    return _definition_reason(binding, facts, prints)


def _read_scopes(tree: ScopeTree, facts: Facts) -> dict[Scope, str]:
    """Return the scopes whose names are visible to eval, exec, locals(), vars() or dir(), with the call's name."""
    wanted = {id(call): last_word(call) for call in (*facts.evaluators, *facts.local_readers)}
    everywhere = {id(call) for call in facts.evaluators}
    holders: dict[int, list[Scope]] = {}
    for scope in tree.scopes if wanted else ():
        for node in nodes(scope.node) if scope.node is not None else ():
            if id(node) in wanted:
                holders.setdefault(id(node), []).append(scope)
    found: dict[Scope, str] = {}
    for call, scopes in holders.items():
        # Scopes are listed outermost first, so the last holder is the call's own.
        for scope in scopes if call in everywhere else scopes[-1:]:
            found[scope] = wanted[call]
    return found


def _signature_words(node: ast.AST) -> set[str]:
    """Return the name of a function and every name in its decorators, annotations and defaults."""
    found = {getattr(node, "name", "")}
    for part in (*decorators(node), getattr(node, "args", None), getattr(node, "returns", None)):
        found |= words(part) if part is not None else set()
    return found


def pin(tree: ScopeTree, facts: Facts, keep: frozenset[str]) -> None:
    """Mark every binding that must keep its name (`Binding.pinned`).

    `keep` holds names the caller asked for; names of other bindings are judged from the facts.
    """
    local = _local_classes(tree)
    prints = _prints_objects(tree, local)
    read = _read_scopes(tree, facts)
    kernels = [s.node for s in tree.scopes if s.node is not None and compiled(s.node)]
    hot = {s for s in tree.scopes if any(e.node in kernels for e in _enclosing(s))} if kernels else set()
    around = {word for node in kernels for word in _signature_words(node)}
    for binding in tree.bindings():
        if binding.pinned:
            continue
        if binding.name in around or any(scope in hot for scope in binding.occupied):
            binding.pinned = "read by a kernel compiler or an operator schema"
        elif binding.scope in read:
            binding.pinned = f"{read[binding.scope]} reads the names of its scope"
        else:
            binding.pinned = _reason(binding, tree, facts, keep, prints, local)
