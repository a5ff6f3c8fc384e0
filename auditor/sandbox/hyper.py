"""Reads hyper-parameters out of a script without running it: model width, layers, vocabulary and every other setting.

The values are defaults: a run may override them by environment. A value that the source does not settle is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from auditor.sandbox.folding import UNKNOWN, Folder, Namespace, Unknown

_ALIASES = {
    "dim": ("model_dim", "d_model", "n_embd", "dim", "hidden_size", "embed_dim", "embedding_dim", "n_embed", "emb_dim"),
    "layers": ("num_layers", "n_layer", "n_layers", "layers", "depth", "num_blocks", "unique_layers"),
    "vocab": ("vocab_size", "vocab", "n_vocab", "padded_vocab_size"),
}
_NAMES = frozenset(name for names in _ALIASES.values() for name in names)
Scalar = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A default: its value, where it stands (1-based line of the decoded source) and in what."""

    name: str
    value: Scalar
    line: int
    origin: str
    """E.g. "class Hyperparameters", "module", "argparse", "environment"."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the source says about the model; `dim`, `layers`, `vocab` None where it settles none."""

    dim: Setting | None
    layers: Setting | None
    vocab: Setting | None
    all: tuple[Setting, ...]


def read_hyperparameters(tree: ast.Module, helpers: Iterable[tuple[str, ast.Module]] = ()) -> Hyperparameters:
    """Evaluate the settings of a parsed script: the class that holds most of them first, other places for the rest.

    `helpers` are the (name, tree) of modules that it imports: they are asked for what the script itself leaves open.
    """
    found = _read(tree)
    for name, helper in helpers:
        if found.dim is not None and found.layers is not None and found.vocab is not None:
            break
        other = _read(helper)
        found = replace(
            found,
            dim=found.dim or _of(name, other.dim),
            layers=found.layers or _of(name, other.layers),
            vocab=found.vocab or _of(name, other.vocab),
        )
    return found


def _of(module: str, setting: Setting | None) -> Setting | None:
    return None if setting is None else replace(setting, origin=f"module {module}, {setting.origin}")


def _read(tree: ast.Module) -> Hyperparameters:
    folder = Folder()
    module = _module_settings(tree, folder)
    groups = sorted(_class_settings(folder, tree), key=_weight, reverse=True)
    loose = [*_argparse(tree, folder), *_environment(tree, folder)]
    pools = [*groups, module, loose, _agreed(_dictionaries(tree, folder)), _agreed(_locals(tree, folder))]
    pools.append(_signatures(tree, folder))
    best = groups[0] if groups and _weight(groups[0])[0] else []
    everything = {setting.name: setting for setting in [*reversed(loose), *module, *best]}
    chosen = {key: _first(pools, names) for key, names in _ALIASES.items()}
    return Hyperparameters(chosen["dim"], chosen["layers"], chosen["vocab"], tuple(everything.values()))


def _weight(settings: list[Setting]) -> tuple[int, int]:
    names = {setting.name.lower() for setting in settings if isinstance(setting.value, int)}
    return sum(any(alias in names for alias in aliases) for aliases in _ALIASES.values()), len(settings)


def _first(pools: list[list[Setting]], names: tuple[str, ...]) -> Setting | None:
    for pool in pools:
        found = {
            setting.name.lower(): setting
            for setting in pool
            if isinstance(setting.value, int) and not isinstance(setting.value, bool) and setting.value > 0
        }
        for name in names:
            if name in found:
                return found[name]
    return None


def _setting(name: str, value: Any, line: int, origin: str) -> list[Setting]:
    return [Setting(name, value, line, origin)] if isinstance(value, (int, float, str, bool, type(None))) else []


def _module_settings(tree: ast.Module, folder: Folder) -> list[Setting]:
    """Evaluate the module level in order into `folder`; return its plain constants."""
    settings: list[Setting] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            folder.aliases |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
        elif isinstance(node, ast.Import):
            folder.aliases |= {item.asname: item.name for item in node.names if item.asname}
    for statement in _flat(tree.body, folder):
        if isinstance(statement, ast.FunctionDef):
            folder.functions[statement.name] = statement
        elif isinstance(statement, ast.ClassDef):
            folder.names[statement.name] = _namespace(statement, folder)
        for target, value in _assignments(statement, folder, {}):
            folder.names[target] = value
            settings += _setting(target, value, statement.lineno, "module")
    return settings


def _flat(body: list[ast.stmt], folder: Folder, local: dict[str, Any] | None = None) -> Iterator[ast.stmt]:
    """Yield the statements that run, descending into `if` and `try`; of an unknown `if` the first branch."""
    for statement in body:
        if isinstance(statement, ast.If):
            test = folder.fold(statement.test, local)
            taken = statement.body if isinstance(test, Unknown) or test else statement.orelse
            yield from _flat(taken, folder, local)
        elif isinstance(statement, (ast.Try, ast.With)):
            yield from _flat(statement.body, folder, local)
        else:
            yield statement


def _assignments(statement: ast.stmt, folder: Folder, local: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) for a plain assignment, unpacking tuples; `self.x = ...` counts as x."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets: list[ast.expr] = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    else:
        return
    value = folder.fold(statement.value, local)
    for target in targets:
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, tuple) and len(value) == len(target.elts):
            pairs = list(zip(target.elts, value, strict=True))
        for one, item in pairs:
            if isinstance(one, ast.Name):
                yield one.id, item
            elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
                yield one.attr, item


def _namespace(node: ast.ClassDef, folder: Folder) -> Namespace:
    """Evaluate a class body in order, base classes first, then what `__init__` assigns to self."""
    space = Namespace()
    for base in node.bases:
        inherited = folder.fold(base)
        if isinstance(inherited, Namespace):
            space.update(inherited)
    for statement in _flat(node.body, folder, space):
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            for inner in _flat(statement.body, folder, space):
                space.update(_assignments(inner, folder, {**space, "self": space}))
        space.update(_assignments(statement, folder, space))
    return space


def _class_settings(folder: Folder, tree: ast.Module) -> Iterator[list[Setting]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            space = folder.names.get(node.name)
            if not isinstance(space, Namespace):
                space = _namespace(node, folder)
            lines = _lines(node)
            settings: list[Setting] = []
            for name, value in space.items():
                settings += _setting(name, value, lines.get(name, node.lineno), f"class {node.name}")
            yield settings


def _lines(node: ast.ClassDef) -> dict[str, int]:
    lines: dict[str, int] = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            lines.setdefault(inner.id, inner.lineno)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            lines.setdefault(inner.attr, inner.lineno)
    return lines


def _argparse(tree: ast.Module, folder: Folder) -> list[Setting]:
    settings: list[Setting] = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        name = folder.fold(node.args[0])
        default = next((item.value for item in node.keywords if item.arg == "default"), None)
        if node.func.attr == "add_argument" and isinstance(name, str) and default is not None:
            clean = name.lstrip("-").replace("-", "_")
            settings += _setting(clean, folder.fold(default), node.lineno, "argparse")
    return settings


def _environment(tree: ast.Module, folder: Folder) -> list[Setting]:
    """Return defaults of calls that read the environment: `int(os.environ.get("X", 1))`, `env_int("X", 1)`."""
    settings: list[Setting] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        inner: ast.expr = node
        while isinstance(inner, ast.Call) and len(inner.args) == 1 and not inner.keywords:
            inner = inner.args[0]
        if isinstance(inner, ast.Call) and len(inner.args) == 2 and isinstance(inner.args[0], ast.Constant):
            name = inner.args[0].value
            if isinstance(name, str) and name.isidentifier() and name.isupper():
                value = folder.fold(node)
                if isinstance(value, (Unknown, str)):
                    value = _as_number(folder.fold(inner.args[1]), value)
                settings += _setting(name.lower(), value, node.lineno, "environment")
    return settings


def _as_number(default: Any, fallback: Any) -> Any:
    if isinstance(default, str) and default.isdigit():
        return int(default)
    return default if not isinstance(default, Unknown) else fallback


def _agreed(settings: Iterable[Setting]) -> list[Setting]:
    """Return the settings whose name stands for one value everywhere: of several, none is the default."""
    values: dict[str, list[Setting]] = {}
    for setting in settings:
        values.setdefault(setting.name.lower(), []).append(setting)
    return [same[0] for same in values.values() if all(item.value == same[0].value for item in same)]


def _dictionaries(tree: ast.Module, folder: Folder) -> Iterator[Setting]:
    """Yield the entries of dictionaries, and keyword arguments such as those of `GPT(model_dim=512)` or `dict(...)`."""
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Dict):
            keys = [folder.fold(key) for key in node.keys]
            pairs = [(key, value) for key, value in zip(keys, node.values, strict=True) if isinstance(key, str)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and _makes_settings(node.func.id):
            pairs = [(item.arg, item.value) for item in node.keywords if item.arg is not None]
        for name, value in pairs:
            if name.lower() in _NAMES:
                yield from _setting(name, folder.fold(value), value.lineno, "dictionary or call")


def _makes_settings(name: str) -> bool:
    """Tell constructors, by their spelling, from functions, whose `dim` and the like are axes of tensors."""
    return name[:1].isupper() or name == "dict"


def _locals(tree: ast.Module, folder: Folder) -> Iterator[Setting]:
    """Yield what functions assign to variables of the known names; bare words such as `depth` are mere counters."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name.lower() in _NAMES and (name.isupper() or "_" in name):
                    yield from _setting(name, folder.fold(node.value), node.lineno, f"function {function.name}")


def _signatures(tree: ast.Module, folder: Folder) -> list[Setting]:
    """Return keyword defaults of constructors and functions: the last resort."""
    settings: list[Setting] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args]
            pairs = list(zip(arguments[len(arguments) - len(node.args.defaults) :], node.args.defaults, strict=True))
            pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None]
            for argument, default in pairs:
                value = folder.fold(default)
                if value is not UNKNOWN:
                    settings += _setting(argument.arg, value, node.lineno, f"function {node.name}")
    return settings
