"""What a C function writes into the arrays that it is handed, and of which elements of which others it was made.

Conservative: a value depends on whatever any path could have mixed into it, conditions included. Elements are told
apart by their distance from the element that is written, so that "the token itself" and "the tokens before" are two
answers. Calls are followed into functions of the same source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from auditor.frontend.cfacts import NONE, Atom, Atoms, Element, Output, Summary, Unread, Whole, anywhere, substituted
from auditor.frontend.csource import CFunction, Expr, Stmt, functions

_CALLS = 12
"""Calls followed into each other; deeper ones count as unread."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an index lies: at a distance from a loop's variable, or from a position read at that variable."""

    variable: str
    shift: int
    via: int | None
    exact: bool
    """False where `shift` is only the greatest distance."""

    @property
    def usable(self) -> bool:
        return self.exact or self.shift < 0


def summarise(text: str, name: str) -> Summary | None:
    """Return what the function `name` of a C source does; None where the source does not define it."""
    defined = {function.name: function for function in functions(text)}
    return _Reader(defined).summary(name, ()) if name in defined else None


class _Reader:
    """Summaries of the functions of one source, each made once."""

    def __init__(self, defined: Mapping[str, CFunction]) -> None:
        self.defined = defined
        self.made: dict[str, Summary] = {}

    def summary(self, name: str, active: tuple[str, ...]) -> Summary:
        if name not in self.made:
            if name in active or len(active) > _CALLS:
                return Summary((), frozenset([Unread()]), {}, ())
            self.made[name] = _Walk(self, self.defined[name], (*active, name)).run()
        return self.made[name]


class _Walk:
    """One function, once through: what its variables and the memory it can reach were made of."""

    def __init__(self, reader: _Reader, function: CFunction, active: tuple[str, ...]) -> None:
        self.reader, self.function, self.active = reader, function, active
        self.index = {parameter.name: k for k, parameter in enumerate(function.parameters)}
        self.variables: dict[str, Atoms] = {}
        self.memory: dict[str, Atoms] = {}
        """Root variable -> what was put into the memory that it names or points to."""
        self.pointers: dict[str, str] = {}
        """Variable -> the variable whose memory it points into."""
        for k, parameter in enumerate(function.parameters):
            if parameter.pointer:
                self.pointers[parameter.name] = parameter.name
                self.memory[parameter.name] = frozenset([Whole(k)])
            else:
                self.variables[parameter.name] = frozenset([Whole(k)])
        self.loops: dict[str, int | None] = {}
        """Index variables of active loops with their lowest value."""
        self.positions: dict[str, _Place] = {}
        """Variables that were read from an array of positions."""
        self.control: list[Atoms] = []
        self.returned: Atoms = NONE
        self.outputs: dict[int, tuple[Atoms, int]] = {}
        self.scattered: dict[int, Atoms] = {}
        """Array parameters written at places that are not known."""
        self.other: set[int] = set()
        """Outputs into which something else than a share was written."""
        self.line = function.line

    def run(self) -> Summary:
        """Return the summary in terms of the function's own parameters."""
        self._block(self.function.body)
        doubt: Atoms = NONE if self.function.complete else frozenset([Unread()])
        changed = {r: atoms for r, atoms in self.memory.items() if atoms != frozenset([Whole(self.index.get(r, -1))])}
        return Summary(
            tuple(parameter.name for parameter in self.function.parameters),
            anywhere(self.returned) | doubt,
            {self.index[root]: anywhere(atoms) | doubt for root, atoms in changed.items() if root in self.index},
            tuple(
                Output(k, atoms | doubt | self.scattered.get(k, NONE), line, k not in self.other)
                for k, (atoms, line) in self.outputs.items()
            ),
        )

    def _block(self, body: tuple[Stmt, ...]) -> None:
        entered = len(self.control)
        for s in body:
            self.line = s.line
            self._statement(s)
            if s.kind == "if" and (_returns(s.body) or _returns(s.orelse)):
                # What follows runs or not as the condition says.
                self.control.append(self._atoms(s.test))
        del self.control[entered:]

    def _statement(self, s: Stmt) -> None:
        if s.kind == "do":
            self._atoms(s.value)
        elif s.kind == "return":
            self.returned |= self._atoms(s.value) | self._controls()
        elif s.kind == "if":
            self.control.append(self._atoms(s.test))
            self._either(s.body, s.orelse)
            self.control.pop()
        elif s.kind == "loop":
            self._loop(s)

    def _either(self, body: tuple[Stmt, ...], orelse: tuple[Stmt, ...]) -> None:
        before = dict(self.variables)
        self._block(body)
        after = self.variables
        self.variables = before
        self._block(orelse)
        for name in after:
            self.variables[name] = self.variables.get(name, NONE) | after[name]

    def _loop(self, s: Stmt) -> None:
        self._atoms(s.start)
        name = _counter(s.start)
        outermost = not self.loops and len(self.active) == 1
        if name is not None:
            self.loops[name] = _lowest(s.start)
        self.control.append(self._atoms(s.test) if name is None else NONE)
        # The outermost loop is passed once, for the element that is written: what it carries over is of the past.
        for _ in range(1 if outermost else 2):
            self._block(s.body)
            self._atoms(s.value)
        self.control.pop()
        if name is not None:
            del self.loops[name]
            for held in (self.variables, self.memory):
                held.update({key: anywhere(atoms, name) for key, atoms in held.items()})

    def _controls(self) -> Atoms:
        return frozenset().union(*self.control) if self.control else NONE

    def _atoms(self, e: Expr | None) -> Atoms:
        """Evaluate an expression: carry out its writes, return what its value was made of."""
        if e is None or e[0] == "number":
            return NONE
        if e[0] == "name":
            return self._name(str(e[1]))
        if e[0] == "index":
            return self._element(_expr(e[1]), _expr(e[2]))
        if e[0] in ("deref", "field"):
            return self._held(e)
        if e[0] == "address":
            return NONE
        if e[0] in ("assign", "update"):
            return self._write(_expr(e[1]), _expr(e[2]), update=e[0] == "update")
        if e[0] == "call":
            return self._call(_expr(e[1]), _exprs(e[2]))
        parts = _exprs(e[1]) if e[0] == "many" else _exprs(e[2:] if e[0] == "binary" else e[1:])
        return self._all(parts)

    def _all(self, parts: tuple[Expr, ...]) -> Atoms:
        found: Atoms = NONE
        for part in parts:
            found |= self._atoms(part)
        return found

    def _name(self, name: str) -> Atoms:
        """Return what a variable was made of; the address in a pointer says nothing of the data behind it."""
        if name in self.loops or name in self.pointers:
            return NONE
        return self.variables.get(name, NONE) | self.memory.get(name, NONE)

    def _held(self, e: Expr) -> Atoms:
        """Return what the memory that an expression is part of, names or points into may hold."""
        root = self._root(e)
        if root is None:
            return frozenset([Unread()])
        return self.memory.get(root, NONE) | self.variables.get(root, NONE)

    def _element(self, base: Expr, at: Expr) -> Atoms:
        name = str(base[1]) if base[0] == "name" else ""
        k = self.index.get(name, -1)
        untouched = k >= 0 and self.memory.get(name) == frozenset([Whole(k)]) and self.pointers.get(name) == name
        place = self._place(at) if untouched else None
        if place is not None and place.usable:
            element = Element(k, place.variable, place.shift, place.via)
            return frozenset([element]) | (self._atoms(at) if place.via is not None else NONE)
        return self._held(base) | self._atoms(at)

    def _call(self, callee: Expr, arguments: tuple[Expr, ...]) -> Atoms:
        given = [self._given(argument) for argument in arguments]
        name = str(callee[1]) if callee[0] == "name" else ""
        if name in self.reader.defined:
            summary = self.reader.summary(name, self.active)
            for k, atoms in summary.written.items():
                if k < len(arguments):
                    self._remember(self._root(arguments[k]), substituted(atoms, given) | self._controls())
            return substituted(summary.returned, given)
        everything: Atoms = frozenset().union(*given) if given else NONE
        if callee[0] != "name":
            everything |= self._held(callee)
        for argument in arguments:
            if argument[0] == "address" or (argument[0] == "name" and argument[1] in self.pointers):
                self._remember(self._root(argument), everything | self._controls())
        return everything

    def _given(self, argument: Expr) -> Atoms:
        """Return what a callee can learn from an argument: its value, and the memory behind it."""
        points = argument[0] == "address" or (argument[0] == "name" and argument[1] in self.pointers)
        return self._atoms(argument) | (self._held(argument) if points else NONE)

    def _write(self, target: Expr, value: Expr, *, update: bool) -> Atoms:
        atoms = self._atoms(value) | self._controls()
        if target[0] == "name":
            self._assign(str(target[1]), value, atoms | (self._name(str(target[1])) if update else NONE))
            return atoms
        if target[0] == "index":
            atoms |= self._atoms(_expr(target[2]))
            self._output(_expr(target[1]), _expr(target[2]), atoms, share=not update and _share(value))
        self._remember(self._root(target), atoms)
        return atoms

    def _assign(self, name: str, value: Expr, atoms: Atoms) -> None:
        if name in self.loops:
            return
        self.variables[name] = atoms
        self.pointers.pop(name, None)
        self.positions.pop(name, None)
        root = self._root(value)
        if root is not None and root != name and (value[0] == "address" or self._points(value)):
            self.pointers[name] = root
        if value[0] == "index" and _expr(value[1])[0] == "name" and str(_expr(value[1])[1]) in self.index:
            place = self._place(_expr(value[2]))
            if place is not None and place.via is None and place.exact and place.shift == 0:
                self.positions[name] = replace(place, via=self.index[str(_expr(value[1])[1])])

    def _points(self, value: Expr) -> bool:
        """Say whether a plain copy of a pointer is assigned: the pointer itself, or one with an offset."""
        if value[0] == "binary":
            return self._points(_expr(value[2]))
        return value[0] == "name" and value[1] in self.pointers

    def _output(self, base: Expr, at: Expr, atoms: Atoms, *, share: bool) -> None:
        """Record a write to an element of an array parameter, with distances from that element."""
        root = self.pointers.get(str(base[1])) if base[0] == "name" else None
        if root is None or root not in self.index or not self.function.parameters[self.index[root]].writable:
            return
        if not share:
            self.other.add(self.index[root])
        place = self._place(at)
        if place is None:
            # A table, unless elements are written one after the other somewhere else.
            self.scattered[self.index[root]] = self.scattered.get(self.index[root], NONE) | anywhere(atoms)
            return
        relative: set[Atom] = set()
        for atom in atoms:
            fits = isinstance(atom, Element) and place.exact and place.via is None
            if isinstance(atom, Element) and fits and atom.base == place.variable:
                relative.add(replace(atom, base="", shift=atom.shift - place.shift))
            elif isinstance(atom, Element):
                relative.add(Whole(atom.parameter))
            elif atom != Whole(self.index[root]):
                relative.add(atom)
        earlier, line = self.outputs.get(self.index[root], (NONE, self.line))
        if not any(isinstance(atom, Element) for atom in earlier):
            # The place to show is the first that depends on elements of another array.
            line = self.line
        self.outputs[self.index[root]] = (earlier | frozenset(relative), line)

    def _remember(self, root: str | None, atoms: Atoms) -> None:
        if root is not None:
            self.memory[root] = self.memory.get(root, NONE) | atoms

    def _root(self, e: Expr) -> str | None:
        while e[0] in ("index", "field", "deref", "address"):
            e = _expr(e[1])
        if e[0] == "name":
            return self.pointers.get(str(e[1]), str(e[1]))
        return self._root(_expr(e[2])) if e[0] == "binary" else None

    def _place(self, e: Expr) -> _Place | None:
        """Return where an index lies against a loop's variable; None where it is something else."""
        if e[0] == "name":
            name = str(e[1])
            return _Place(name, 0, None, True) if name in self.loops else self.positions.get(name)
        if e[0] != "binary" or e[1] not in ("+", "-"):
            return None
        left, right = self._place(_expr(e[2])), _expr(e[3])
        if left is None:
            return None
        if right[0] == "number" and isinstance(right[1], int):
            return replace(left, shift=left.shift + (right[1] if e[1] == "+" else -right[1]))
        least = self.loops.get(str(right[1])) if right[0] == "name" else None
        if e[1] == "-" and least is not None:
            return replace(left, shift=left.shift - least, exact=False)
        return None


def _share(value: Expr) -> bool:
    """Say whether a value is zero, or one plain value divided by another."""
    if value[0] == "number":
        return value[1] == 0
    parts = (_expr(value[2]), _expr(value[3])) if value[0] == "binary" and value[1] == "/" else ()
    return bool(parts) and all(part[0] in ("name", "field", "index") for part in parts)


def _returns(body: tuple[Stmt, ...]) -> bool:
    return any(s.kind == "return" or _returns(s.body) or _returns(s.orelse) for s in body)


def _counter(start: Expr | None) -> str | None:
    """Return the variable that the head of a `for` sets."""
    if start is not None and start[0] == "many":
        parts = _exprs(start[1])
        start = parts[0] if len(parts) == 1 else None
    if start is not None and start[0] == "assign" and _expr(start[1])[0] == "name":
        return str(_expr(start[1])[1])
    return None


def _lowest(start: Expr | None) -> int | None:
    while start is not None and start[0] == "many":
        start = _exprs(start[1])[0]
    value = _expr(start[2]) if start is not None else None
    return value[1] if value is not None and value[0] == "number" and isinstance(value[1], int) else None


def _expr(part: object) -> Expr:
    assert isinstance(part, tuple)
    return part


def _exprs(parts: object) -> tuple[Expr, ...]:
    assert isinstance(parts, tuple)
    return parts
