"""Prove a renaming harmless: compile both texts and walk their bytecode in parallel.

Same operations, constants, attributes and keywords; names may differ only by a mapping that is one to one, per
function for
locals and cells and per module for globals. It shares no code with `scopes`, so that one cannot hide the other's
mistake."""

from __future__ import annotations

import dis
import re
from types import CodeType

WORD = re.compile(r"[^\W\d]\w*")
NOISE = frozenset(
    {"EXTENDED_ARG", "CACHE", "NOP", "RESUME", "PUSH_NULL", "PRECALL", "MAKE_CELL", "LOAD_CLOSURE", "COPY_FREE_VARS"}
)
"""Operations whose presence or order follows the spelling of names (cells are sorted by name), not the program."""
ALIKE = {"LOAD_METHOD": "LOAD_ATTR", "CALL_METHOD": "CALL", "CALL_FUNCTION": "CALL"}
"""Two ways of calling an attribute: the compiler picks by whether the name was bound by an import."""


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
        if step.opname not in NOISE and not (step.opname == "LOAD_FAST" and step.argval in cells):
            kept.append(step)
    return kept, places


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
        (left, here), (right, there) = _steps(old), _steps(new)
        if [ALIKE.get(s.opname, s.opname) for s in left] != [ALIKE.get(s.opname, s.opname) for s in right]:
            return f"{old.co_name}: other operations"
        local = _Names(self.seen, frozenset(old.co_freevars), outer)
        for before, after in zip(old.co_varnames, new.co_varnames, strict=False):
            if not local.pair(before, after):
                return f"{old.co_name}: {before} and {after} are not one to one"
        for a, b in zip(left, right, strict=False):
            problem = self._step(a, b, local, here, there, classlike, old, new)
            if problem:
                return f"{old.co_name}: {problem}"
        return ""

    def _step(
        self,
        a: dis.Instruction,
        b: dis.Instruction,
        local: _Names,
        here: dict[int, int],
        there: dict[int, int],
        classlike: bool,
        owner: CodeType,
        other: CodeType,
    ) -> str:
        name = a.opname
        if isinstance(a.argval, CodeType) and isinstance(b.argval, CodeType):
            return self.same(a.argval, b.argval, self._is_class(a.argval), local)
        if a.opcode in dis.hasjrel or a.opcode in dis.hasjabs:
            return "" if here.get(a.argval) == there.get(b.argval) else "a jump goes elsewhere"
        if a.opcode in dis.haslocal or a.opcode in dis.hasfree or "FAST" in name:
            return self._locals(a.argval, b.argval, local)
        if name.endswith("_GLOBAL") or (name.endswith("_NAME") and name[:6] != "IMPORT" and not classlike):
            return "" if self.globals.pair(str(a.argval), str(b.argval)) else f"global {a.argval} became {b.argval}"
        if name.endswith("_NAME") and name[:6] != "IMPORT":
            return self._class_name(name, str(a.argval), str(b.argval), owner)
        if name == "KW_NAMES" and a.arg is not None and b.arg is not None:
            return "" if owner.co_consts[a.arg] == other.co_consts[b.arg] else "another keyword"
        if name == "LOAD_CONST" and isinstance(a.argval, (str, tuple)):
            return self._constant(a.argval, b.argval, owner)
        return "" if repr(a.argval) == repr(b.argval) else f"{name} {a.argval!r} became {b.argval!r}"

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


def difference(old: str | CodeType, new: str) -> str:
    """Return the first way in which `new` is not a renaming of `old` (text or code), "" where it is one."""
    left = compile(old, "<old>", "exec", dont_inherit=True) if isinstance(old, str) else old
    right = compile(new, "<new>", "exec", dont_inherit=True)
    walk = _Walk()
    return walk.same(left, right, False) or walk.unexplained()
