"""From a submission to the program that runs: script, payload, local modules, native sources.

Everything is read from the submission's bytes in memory; no file is opened and no module imported.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

from auditor.frontend import compat
from auditor.frontend.parse import parse
from auditor.frontend.walk import nodes_of
from auditor.limits import Limits
from auditor.model.source import Module, Native, Program, Unpacked
from auditor.model.submission import FileEntry, FileKind, Submission
from auditor.unpack import unpack

_COMPILED = (".so",)
_NATIVE = (".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".h", ".hpp", ".pyx", *_COMPILED)


def load_program(submission: Submission, target_python: str, limits: Limits) -> Program | None:
    """Parse the script and the shipped modules that it imports; None where there is no readable script."""
    if submission.script is None:
        return None
    entry = submission.file(submission.script)
    if entry is None or entry.data is None or len(entry.data) > limits.intake.script_bytes:
        return None
    target = compat.version(target_python)
    main = _module("__main__", entry.path, entry.data, submission, target, limits)
    helpers = tuple(_helpers(main, submission, target, limits))
    natives = (e for e in submission.files if e.path.endswith(_NATIVE) and e.kind is FileKind.REGULAR)
    return Program(main, helpers, tuple(Native(e.path, _source_text(e, limits)) for e in natives))


def _source_text(entry: FileEntry, limits: Limits) -> str:
    """Return native source as text; nothing for a compiled library, or beyond the size of a script."""
    compiled = entry.path.endswith(_COMPILED) or entry.data is None or len(entry.data) > limits.intake.script_bytes
    return "" if compiled or entry.data is None else entry.data.decode("utf-8", "replace")


def _module(
    name: str, path: str, data: bytes, submission: Submission, target: compat.Version, limits: Limits
) -> Module:
    def sibling(relative: str) -> bytes | None:
        found = submission.file(relative)
        return found.data if found else None

    return _parsed(name, unpack(data, path, sibling, limits.unpack), target)


def _parsed(name: str, unpacked: Unpacked, target: compat.Version) -> Module:
    parsed = parse(unpacked.payload.raw)
    return Module(
        name=name,
        unpacked=unpacked,
        tree=parsed.tree,
        requoted=parsed.requoted,
        problems=tuple(
            problem
            for layer in unpacked.layers
            for problem in compat.problems(layer.raw, unpacked.file, layer.index, target)
        ),
        host_error=parsed.error,
        outer=tuple(parse(layer.raw).tree for layer in unpacked.layers[:-1]),
    )


def _helpers(main: Module, submission: Submission, target: compat.Version, limits: Limits) -> Iterator[Module]:
    """Yield shipped modules that the script imports, transitively, and modules that it carries as text."""
    seen = {main.file}
    names = {"__main__"}
    queue = [main]
    while queue:
        module = queue.pop(0)
        for name, layer in module.unpacked.embedded:
            if name not in names:
                names.add(name)
                # A file name of its own: its lines are not those of the payload on the same layer.
                file = f"{module.file}#{name}"
                inner = _parsed(name, Unpacked(file, (*module.unpacked.layers[: layer.index], layer)), target)
                queue.append(inner)
                yield inner
        for tree in (*module.outer, module.tree):
            for name in _imported(tree) if tree is not None else ():
                for path in _paths(name, module.file):
                    entry = submission.file(path)
                    if entry is None or entry.data is None or path in seen:
                        continue
                    seen.add(path)
                    names.add(name)
                    helper = _module(name, path, entry.data, submission, target, limits)
                    queue.append(helper)
                    yield helper


def _imported(tree: ast.Module) -> Iterator[str]:
    found: dict[str, None] = {}
    for node in nodes_of(tree, ast.Import, ast.ImportFrom, ast.Call):
        if isinstance(node, ast.Import):
            found.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if base:
                found[base] = None
            found.update(dict.fromkeys(f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*"))
        elif isinstance(node, ast.Call) and len(node.args) >= 1:
            argument = node.args[0]
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(argument, ast.Constant):
                found[str(argument.value)] = None
    yield from found


def _paths(name: str, importer: str) -> Iterator[str]:
    relative = name.replace(".", "/")
    folders = dict.fromkeys((posixpath.dirname(importer), ""))
    for folder in folders:
        yield posixpath.join(folder, f"{relative}.py")
        yield posixpath.join(folder, relative, "__init__.py")
