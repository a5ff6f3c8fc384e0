"""Scripts that read their own file as text: most count their code bytes that way, and a raw shim is not UTF-8.

`rewrite` makes such a script read and re-encode itself as latin-1 (one character a byte), so that it counts the bytes
of the shim correctly. It works on the tree, never on text, and gives up, named, where it cannot follow the value: the
packer then takes the ASCII carrier, which any script can read.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from auditor.packer.pins import last_word
from auditor.packer.scopes import Binding, analyse
from auditor.packer.walk import parents

PATH_WRAPPERS = frozenset(
    {"Path", "PurePath", "str", "fspath", "abspath", "realpath", "resolve", "absolute", "expanduser"}
)
PATHS = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)
"""Expressions that can stand for the own path."""
READERS = frozenset({"read_text", "open"})
HARMLESS = frozenset(
    [
        "parent",
        "parents",
        "name",
        "stem",
        "suffix",
        "stat",
        "exists",
        "is_file",
        "read_bytes",
        "with_name",
        "with_suffix",
        "joinpath",
        "as_posix",
        "parts",
        "relative_to",
        "dirname",
        "basename",
        "getsize",
        "getmtime",
        "join",
        "exists",
        "isfile",
        "split",
        "splitext",
        "relpath",
        "commonpath",
        "print",
        "info",
        "log",
        "log0",
        "append",
        "insert",
        "add",
        "copy",
        "copyfile",
        "copy2",
        "run",
        "Popen",
        "check_call",
        "check_output",
        "sha256",
        "format",
    ]
)
"""Attributes and calls through which the script's own path does not lead to a text read of the script."""
LATIN = "L1"


@dataclass(frozen=True, slots=True)
class SelfRead:
    """What was found and done: `reads` text reads of the own file, `problem` why a raw carrier would break the
    script."""

    reads: int
    problem: str = ""


class _Follower:
    """Follow the script's own path, the text read from it and the places that encode that text."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.home: dict[ast.AST, Binding] = {s.node: b for b in analyse(tree).bindings() for s in b.sites}
        self.paths: set[Binding | str] = set()
        self.texts: set[Binding | str] = set()
        self.files: set[Binding | str] = set()
        self.problem = ""
        self.above = parents(tree)
        self.nodes: list[ast.AST] = list(self.above)
        self.functions: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.setdefault(node.name, []).append(node)

    def key(self, node: ast.AST) -> Binding | str:
        """Return what holds a value: the binding of a name or parameter, ".x" for an attribute, "" for anything
        else."""
        return "." + node.attr if isinstance(node, ast.Attribute) else self.home.get(node, "")

    def is_path(self, node: ast.AST) -> bool:
        if isinstance(node, (ast.Name, ast.Attribute)):
            return getattr(node, "id", "") == "__file__" or self.key(node) in self.paths
        if isinstance(node, ast.Subscript):
            return last_word(node.value) == "argv" and isinstance(node.slice, ast.Constant) and node.slice.value == 0
        if isinstance(node, ast.Call) and last_word(node.func).lstrip("_") in PATH_WRAPPERS:
            inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
            return inner is not None and self.is_path(inner)
        return False

    def opened(self, node: ast.AST) -> ast.Call | None:
        """Return the call where `node` opens or reads the own file as text."""
        if not isinstance(node, ast.Call):
            return None
        called = last_word(node.func)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if called == "read_text" and receiver is not None and self.is_path(receiver):
            return node
        if called == "open":
            direct = receiver is not None and self.is_path(receiver)
            if direct or (node.args and self.is_path(node.args[0])):
                mode = node.args[0 if direct else 1] if len(node.args) > (0 if direct else 1) else None
                mode = next((k.value for k in node.keywords if k.arg == "mode"), mode)
                binary = isinstance(mode, ast.Constant) and "b" in str(mode.value)
                return None if binary else node
        return None

    def is_text(self, node: ast.AST) -> bool:
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self.key(node) in self.texts
        if isinstance(node, ast.IfExp):
            return self.is_text(node.body) or self.is_text(node.orelse)
        if not isinstance(node, ast.Call):
            return False
        if self.opened(node) is not None and last_word(node.func) == "read_text":
            return True
        if isinstance(node.func, ast.Attribute) and node.func.attr == "read":
            source = node.func.value
            return self.opened(source) is not None or self.key(source) in self.files
        return False

    def settle(self) -> None:
        """Propagate through assignments, `with` and calls of the script's own functions until nothing changes."""
        kinds = (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.withitem, ast.Call)
        self.nodes = [n for n in self.nodes if isinstance(n, kinds)]
        steps = [n for n in self.nodes if not isinstance(n, ast.Call) or last_word(n.func) in self.functions]
        size = -1
        while size != len(self.paths) + len(self.texts) + len(self.files):
            size = len(self.paths) + len(self.texts) + len(self.files)
            for node in steps:
                self._step(node)
        if self.texts:
            self._check_unique()

    def _step(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            self._bind(node.target, node.value)
        elif isinstance(node, ast.withitem):
            if isinstance(node.optional_vars, ast.Name) and self.opened(node.context_expr) is not None:
                self.files.add(self.key(node.optional_vars))
        elif isinstance(node, ast.Call):
            self._call(node)

    def _bind(self, target: ast.AST, value: ast.AST) -> None:
        name = "" if isinstance(value, ast.Constant) else self.key(target)
        if not name:
            return
        if self.is_path(value):
            self.paths.add(name)
        if self.is_text(value):
            self.texts.add(name)
        if self.opened(value) is not None and isinstance(value, ast.Call) and last_word(value.func) == "open":
            self.files.add(name)

    def _call(self, node: ast.Call) -> None:
        for function in self.functions.get(last_word(node.func), ()):
            params = [*function.args.posonlyargs, *function.args.args]
            named = {a.arg: a for a in (*params, *function.args.kwonlyargs)}
            shift = 1 if isinstance(node.func, ast.Attribute) and params and params[0].arg == "self" else 0
            given: list[tuple[ast.arg | None, ast.expr]] = [*zip(params[shift:], node.args, strict=False)]
            given += [(named.get(k.arg or ""), k.value) for k in node.keywords]
            for param, value in given:
                if param is not None and self.is_text(value):
                    self.texts.add(self.home[param])
                if self.is_path(value):
                    self.problem = f"its own path is passed to {function.name}()"

    def check_uses(self) -> None:
        """Give up where the own path goes somewhere that is not known to leave the file's text alone."""
        for node, user in self.above.items():
            if (
                not isinstance(node, PATHS)
                or not self.is_path(node)
                or self.is_path(user)
                or isinstance(getattr(node, "ctx", None), ast.Store)
            ):
                continue
            if not self._known_use(user):
                self.problem = (
                    self.problem
                    or f"its own path is used in a way that is not followed (line {getattr(node, 'lineno', 0)})"
                )

    def _known_use(self, user: ast.AST) -> bool:
        if isinstance(user, ast.Attribute):
            return user.attr in HARMLESS or user.attr in READERS or user.attr in PATH_WRAPPERS
        if isinstance(user, ast.Call):
            return self.opened(user) is not None or last_word(user.func) in HARMLESS | {"open"}
        if isinstance(user, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            targets = user.targets if isinstance(user, ast.Assign) else [user.target]
            return all(self.key(t) in self.paths for t in targets)
        return isinstance(user, (ast.FormattedValue, ast.Compare, ast.BinOp, ast.Expr))

    def _check_unique(self) -> None:
        """Give up where a name holds the own text in one place and something else in another."""
        for node in self.nodes:
            if isinstance(node, ast.Assign) and not self.is_text(node.value):
                for target in node.targets:
                    empty = isinstance(node.value, ast.Constant) and not node.value.value
                    if self.key(target) in self.texts and not empty:
                        name = last_word(target)
                        self.problem = f"{name} holds its own text in one place and something else in another"


def _latin_read(call: ast.Call) -> None:
    """Make a text read decode latin-1."""
    call.keywords = [k for k in call.keywords if k.arg not in ("encoding", "errors")]
    if last_word(call.func) == "read_text":
        call.args = [ast.Constant(LATIN)]
        return
    call.args = call.args[:2]
    call.keywords.append(ast.keyword("encoding", ast.Constant(LATIN)))


def rewrite(tree: ast.Module) -> SelfRead:
    """Rewrite text reads of the own file and the matching `.encode(...)` in place; say what stayed unclear.

    Where `problem` is set the tree is left as it was.
    """
    follower = _Follower(tree)
    follower.settle()
    follower.check_uses()
    reads = [call for node in follower.nodes if (call := follower.opened(node)) is not None]
    if follower.problem or not reads:
        return SelfRead(len(reads), follower.problem)
    encodes = [n for n in follower.nodes if isinstance(n, ast.Call) and last_word(n.func) == "encode"]
    own = [n for n in encodes if isinstance(n.func, ast.Attribute) and follower.is_text(n.func.value)]
    for call in reads:
        _latin_read(call)
    for call in own:
        call.args, call.keywords = [ast.Constant(LATIN)], []
    return SelfRead(len(reads))
