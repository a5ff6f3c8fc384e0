"""Prove a renaming harmless: compile both texts and walk their bytecode in parallel.

Same operations, constants, attributes and keywords; names may differ only by a mapping that is one to one, per
function for
locals and cells and per module for globals. It shares no code with `scopes`, so that one cannot hide the other's
mistake."""

from __future__ import annotations

import ast
import dis
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType

from auditor.packer.walk import inner, nodes

WORD = re.compile(r"[^\W\d]\w*")
NOISE = frozenset(
    {"EXTENDED_ARG", "CACHE", "NOP", "RESUME", "PUSH_NULL", "PRECALL", "MAKE_CELL", "LOAD_CLOSURE", "COPY_FREE_VARS"}
)
"""Operations whose presence or order follows the spelling of names (cells are sorted by name), not the program."""
ALIKE = {"LOAD_METHOD": "LOAD_ATTR", "CALL_METHOD": "CALL", "CALL_FUNCTION": "CALL"}
"""Two ways of calling an attribute: the compiler picks by whether the name was bound by an import."""
HOST_LISTS_ATTRIBUTES = sys.version_info >= (3, 13)
"""Class bodies list what methods set on a parameter if it is spelled "self"; nothing runs by that."""
_JUMPS = frozenset([*dis.hasjrel, *dis.hasjabs])
_PLACES = frozenset([*dis.haslocal, *dis.hasfree, *(dis.opmap[n] for n in dis.opmap if "FAST" in n)])
_NAMES = frozenset(dis.hasname)
_CONSTANTS = frozenset(dis.hasconst)


class _Names:
    """A mapping that must stay one to one."""

    def __init__(
        self, seen: dict[str, set[str]], free: frozenset[str] = frozenset(), outer: _Names | None = None
    ) -> None:
        self.seen = seen
        self.free, self.outer = free, outer
        self.forward: dict[str, str] = {}
        self.back: dict[str, str] = {}

    def pair(self, old: str, new: str) -> bool:
        self.seen.setdefault(old, set()).add(new)
        if self.outer is not None and old in self.free and not self.outer.pair(old, new):
            return False
        return self.forward.setdefault(old, new) == new and self.back.setdefault(new, old) == old


def _steps(code: CodeType) -> tuple[list[dis.Instruction], dict[int, int]]:
    """Return the operations that count, and for every offset the ordinal of the next of them."""
    cells = {*code.co_cellvars, *code.co_freevars}
    kept: list[dis.Instruction] = []
    places: dict[int, int] = {}
    for step in dis.get_instructions(code):
        places[step.offset] = len(kept)
        if HOST_LISTS_ATTRIBUTES and step.opname == "STORE_NAME" and step.argval == "__static_attributes__":
            kept.pop()
        elif step.opname not in NOISE and not (step.opname == "LOAD_FAST" and step.argval in cells):
            kept.append(step)
    return kept, places


def _referred(step: dis.Instruction, code: CodeType) -> object:
    """Return what an operation refers to (dis leaves some constants, such as names of keywords, unknown)."""
    return code.co_consts[step.arg or 0] if step.opcode in _CONSTANTS else step.argval


def _paired(old: tuple[str, ...], new: tuple[str, ...]) -> dict[str, str] | None:
    """Return what each name became, None where that is not one name each."""
    pairs = dict(zip(old, new, strict=False))
    same = len(old) == len(new) and all(pairs[a] == b for a, b in zip(old, new, strict=True))
    return pairs if same else None


def _exchanged(steps: list[dis.Instruction], old: CodeType, new: CodeType) -> list[object] | None:
    """Return what the operations of `new` refer to where its bytes are those of `old`: only tables differ then.

    That is so for most functions, and spares taking `new` apart, which is slow. None where the bytes differ.
    """
    names = _paired(old.co_names, new.co_names)
    left = (*old.co_varnames, *old.co_cellvars, *old.co_freevars)
    places = _paired(left, (*new.co_varnames, *new.co_cellvars, *new.co_freevars))
    if old.co_code != new.co_code or names is None or places is None or len(old.co_consts) != len(new.co_consts):
        return None
    found: list[object] = []
    for step in steps:
        value = _referred(step, new)
        if step.opcode in _NAMES:
            value = names.get(step.argval)
        elif step.opcode in _PLACES:
            pair = isinstance(step.argval, tuple)
            value = tuple(places.get(v) for v in step.argval) if pair else places.get(step.argval)
        found.append(value)
    return found


def _jumps(
    left: list[dis.Instruction], right: list[dis.Instruction]
) -> Iterator[tuple[dis.Instruction, dis.Instruction]]:
    return ((a, b) for a, b in zip(left, right, strict=True) if a.opcode in _JUMPS)


class _Walk:
    def __init__(self) -> None:
        self.seen: dict[str, set[str]] = {}
        self.globals = _Names(self.seen)
        self.texts: list[tuple[str, str]] = []
        self.owned: dict[CodeType, frozenset[str]] = {}
        """Class body -> the attributes it binds (asked for at every name in it, and dis is slow)."""

    def same(self, old: CodeType, new: CodeType, classlike: bool, outer: _Names | None = None) -> str:
        """Return the first difference between two code objects, "" where there is none."""
        if (old.co_argcount, old.co_kwonlyargcount, old.co_posonlyargcount) != (
            new.co_argcount,
            new.co_kwonlyargcount,
            new.co_posonlyargcount,
        ) or (old.co_flags != new.co_flags):
            return f"{old.co_name}: other parameters"
        left, here = _steps(old)
        values = _exchanged(left, old, new)
        if values is None:
            right, there = _steps(new)
            if [ALIKE.get(s.opname, s.opname) for s in left] != [ALIKE.get(s.opname, s.opname) for s in right]:
                return f"{old.co_name}: other operations"
            if any(here.get(a.argval) != there.get(b.argval) for a, b in _jumps(left, right)):
                return f"{old.co_name}: a jump goes elsewhere"
            values = [_referred(s, new) for s in right]
        local = _Names(self.seen, frozenset(old.co_freevars), outer)
        for before, after in zip(old.co_varnames, new.co_varnames, strict=False):
            if not local.pair(before, after):
                return f"{old.co_name}: {before} and {after} are not one to one"
        for step, value in zip(left, values, strict=True):
            problem = self._step(step, value, local, classlike, old)
            if problem:
                return f"{old.co_name}: {problem}"
        return ""

    def _step(self, step: dis.Instruction, new: object, local: _Names, classlike: bool, owner: CodeType) -> str:
        """Compare what an operation refers to with what its counterpart does."""
        name, code, old = step.opname, step.opcode, _referred(step, owner)
        if isinstance(old, CodeType) and isinstance(new, CodeType):
            return self.same(old, new, self._is_class(old), local)
        if code in _JUMPS:
            return ""
        if code in _PLACES:
            return self._locals(old, new, local)
        if name.endswith("_GLOBAL") or (name.endswith("_NAME") and name[:6] != "IMPORT" and not classlike):
            return "" if self.globals.pair(str(old), str(new)) else f"global {old} became {new}"
        if name.endswith("_NAME") and name[:6] != "IMPORT":
            return self._class_name(name, str(old), str(new), owner)
        if name == "LOAD_CONST" and isinstance(old, (str, tuple)):
            return self._constant(old, new, owner)
        return "" if old is new or repr(old) == repr(new) else f"{name} {old!r} became {new!r}"

    def _class_name(self, operation: str, old: str, new: str, owner: CodeType) -> str:
        """A class body binds attributes, which keep their names, and reads them and globals by one operation."""
        own = self.owned.get(owner)
        if own is None:
            bound = (s.argval for s in dis.get_instructions(owner) if s.opname == "STORE_NAME")
            own = self.owned[owner] = frozenset(bound)
        if operation != "LOAD_NAME" or old in own:
            return "" if old == new else f"class attribute {old} became {new}"
        return "" if self.globals.pair(old, new) else f"class body: {old} became {new}"

    @staticmethod
    def _is_class(code: CodeType) -> bool:
        return "__qualname__" in code.co_names and "__module__" in code.co_names

    @staticmethod
    def _locals(old: object, new: object, local: _Names) -> str:
        olds = old if isinstance(old, tuple) else (old,)
        news = new if isinstance(new, tuple) else (new,)
        for a, b in zip(olds, news, strict=False):
            if not local.pair(str(a), str(b)):
                return f"local {a} became {b}"
        return ""

    def _constant(self, old: object, new: object, owner: CodeType) -> str:
        """Names of functions and classes, and annotations kept as text, may follow the renaming; all else is equal."""
        if repr(old) == repr(new):
            return ""
        if (
            isinstance(old, tuple)
            and isinstance(new, tuple)
            and len(old) == len(new)
            and "__annotations__" in owner.co_names
        ):
            return next((p for p in (self._constant(a, b, owner) for a, b in zip(old, new, strict=False)) if p), "")
        if isinstance(old, str) and isinstance(new, str):
            named = {owner.co_name, *(c.co_name for c in owner.co_consts if isinstance(c, CodeType))}
            if old.rpartition(".")[2] in named or "__annotations__" in owner.co_names:
                self.texts.append((old, new))
                return ""
        return f"constant {old!r} became {new!r}"

    def unexplained(self) -> str:
        """Return a text that changed otherwise than by the renaming, "" where there is none."""
        for old, new in self.texts:
            before, after = WORD.findall(old), WORD.findall(new)
            skeletons = WORD.sub("", old) == WORD.sub("", new) and len(before) == len(after)
            if not skeletons or any(b not in {a, *self.seen.get(a, ())} for a, b in zip(before, after, strict=False)):
                return f"text {old!r} became {new!r}"
        return ""


_INLINED = (ast.ListComp, ast.SetComp, ast.DictComp)
"""Comprehensions that Python 3.12 compiles into the function around them, where their names share its table."""


def _as_generator(node: ast.AST) -> ast.AST:
    """Return what stands in for a comprehension: a generator with its kind, which is compiled on its own."""
    if not isinstance(node, _INLINED):
        return node
    result = ast.Tuple([node.key, node.value], ast.Load()) if isinstance(node, ast.DictComp) else node.elt
    return ast.BinOp(ast.Constant(type(node).__name__), ast.MatMult(), ast.GeneratorExp(result, node.generators))


@contextmanager
def _set_apart(tree: ast.Module) -> Iterator[None]:
    """Let generators stand in for comprehensions where the host would inline them."""
    undo: list[tuple[ast.AST, str, object]] = []
    for node in reversed(nodes(tree)) if sys.version_info >= (3, 12) else ():
        for name in inner(node):
            value = getattr(node, name, None)
            if isinstance(value, _INLINED):
                undo.append((node, name, value))
                setattr(node, name, _as_generator(value))
            elif isinstance(value, list) and any(isinstance(item, _INLINED) for item in value):
                undo.append((node, name, value))
                setattr(node, name, [_as_generator(item) for item in value])
    try:
        yield
    finally:
        for node, name, value in reversed(undo):
            setattr(node, name, value)


def flat(source: str | ast.Module) -> CodeType:
    """Compile a text or a tree as if all of it stood on one line; a tree loses its positions.

    Where lines end decides which jumps the compiler copies, and says nothing about what a script does.
    """
    tree = ast.parse(source) if isinstance(source, str) else source
    with _set_apart(tree):
        for node in nodes(tree):
            if "lineno" in node._attributes:
                node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
                node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
        return compile(tree, "<flat>", "exec", dont_inherit=True)


def difference(old: str | CodeType, new: str | CodeType) -> str:
    """Return the first way in which `new` is not a renaming of `old` (text or code by `flat`), "" where it is one."""
    walk = _Walk()
    left, right = (flat(side) if isinstance(side, str) else side for side in (old, new))
    return walk.same(left, right, False) or walk.unexplained()
