"""The machine: frames, the graph under construction, what was printed, files written, and the budget.

It holds state and small helpers only; what statements, expressions, calls and tensors mean is in the neighbours.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.errors import BudgetExceeded
from auditor.frontend.cfacts import Summary
from auditor.interp.graph import Kind, Node
from auditor.interp.region import EMPTY, Region
from auditor.interp.values import ATOMS, Class, External, Function, Instance, Mark, ModuleInfo, Scope, Sym, nodes_in
from auditor.limits import InterpLimits
from auditor.model.source import Span

if TYPE_CHECKING:
    from auditor.interp.resets import Side


class ReturnSignal(Exception):
    """A return statement was executed."""

    def __init__(self, value: Any) -> None:
        self.value = value


class BreakSignal(Exception):
    """A break statement was executed."""


class ContinueSignal(Exception):
    """A continue statement was executed."""


class RaiseSignal(Exception):
    """The submission raised an exception on a path that is certain."""

    def __init__(self, name: str, span: Span) -> None:
        self.name, self.span = name, span


class Loop:
    """One active loop: `forced` is set in the iteration that the interpreter wants to be the last."""

    __slots__ = ("choices", "forced", "ident", "iteration", "left", "node", "onward", "skipped")

    def __init__(self, node: ast.AST, ident: int) -> None:
        self.node, self.ident = node, ident
        self.iteration = 0
        self.forced = False
        self.skipped: Span | None = None
        """Where this iteration went on only because a token has bytes."""
        self.left: list[dict[str, Any]] = []
        """What was assigned where the loop may have been left, and was not for what follows."""
        self.onward: list[dict[str, Any]] = []
        """The same where this iteration may have gone on to the next."""
        self.choices: list[tuple[Node, ...]] = []
        """Comparisons of losses on which this iteration may have been left."""


class Frame:
    """One active call."""

    __slots__ = (
        "alternatives",
        "doubtful",
        "guarded",
        "ident",
        "loops",
        "module",
        "name",
        "outer",
        "path",
        "receiver",
        "scope",
        "yields",
    )

    def __init__(self, ident: int, name: str, module: ModuleInfo, scope: Scope, receiver: Any = None) -> None:
        self.ident, self.name, self.module, self.scope = ident, name, module, scope
        self.loops: list[Loop] = []
        self.alternatives: list[Any] = []
        """Values returned on paths that may or may not be taken."""
        self.doubtful = False
        """True where a loop that may return was not followed to its end."""
        self.yields: list[Any] | None = None
        self.guarded = 0
        """Nesting of try statements in this call: a raise inside one is control flow."""
        self.receiver = receiver
        self.path: tuple[int, ...] = ()
        """Ids of the active calls, this one last; set with the first event of this call."""
        self.outer: tuple[tuple[int, int], ...] = ()
        """Iterations of the loops that are active in the calls around this one, which stand still meanwhile."""

    def where(self, around: list[Frame]) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """Return the ids of the active calls and the iterations of their loops; `around` is the stack, this on top."""
        if not self.path:
            self.path = tuple([frame.ident for frame in around])
            self.outer = tuple([(loop.ident, loop.iteration) for frame in around[:-1] for loop in frame.loops])
        if not self.loops:
            return self.path, self.outer
        return self.path, self.outer + tuple([(loop.ident, loop.iteration) for loop in self.loops])


@dataclass(frozen=True, slots=True)
class Printed:
    """One print or log call as it was reached."""

    index: int
    """Graph time."""
    parts: tuple[Any, ...]
    """Strings and values, in order; joined without separator they are the line."""
    span: Span
    function: str
    frames: tuple[int, ...]
    sink: str = "log"
    """"log", or "json" for values written into a result file."""


@dataclass(frozen=True, slots=True)
class World:
    """What the interpreted program finds around it."""

    environ: dict[str, str]
    """Run environment; names that are not here are unset."""
    overrides: dict[str, Any]
    """Setting attribute -> value that the logs show (hyper-parameter dumps, solved guards)."""
    argv: tuple[str, ...] = ()
    switches: bool = False
    """True to take every command-line switch as given: for programs that do nothing without one."""
    empty: frozenset[tuple[str, str]] = frozenset()
    """(function, variable) of masks of which the logs print that they select nothing."""
    val_tokens: int = 4 * 2**20 + 1
    """Length of the stand-in validation stream: four of the largest chunks seen (1,048,576 tokens) and one token."""


class Machine:
    """State of one interpretation."""

    def __init__(self, world: World, limits: InterpLimits) -> None:
        self.world, self.limits = world, limits
        self.frames: list[Frame] = []
        self.captured: list[Scope] = []
        """Scopes in which functions were defined, which keep them."""
        self.printed: list[Printed] = []
        self.files: dict[str, Any] = {}
        """Path -> value written, for reading back."""
        self.modules: dict[str, ModuleInfo] = {}
        self.sources: dict[str, tuple[str, int, ast.Module]] = {}
        """Import name -> (file, layer, tree) of local modules that are not loaded yet."""
        self.nodes: list[Node] = []
        self.pending: list[Node] = []
        """BACKWARD nodes whose gradients no optimiser has been cleared of."""
        self.maybe = 0
        """Nesting of conditions that could not be decided."""
        self.guessed: set[int] = set()
        """Calls in which an element of a list stood for another, at an index that is not known."""
        self.controls: list[Sym] = []
        """Undecided conditions over validation losses whose branches are being followed."""
        self.deciding: list[int] = []
        """Positions of tokens on which undecided conditions hang whose branches are being followed."""
        self.choices: list[tuple[Node, ...]] = []
        """Comparisons of losses of which undecided conditions are made whose branches are being followed."""
        self.sides: list[Side] = []
        """Sides of undecided conditions that are being followed, with what they overwrite."""
        self.quiet = 0
        """How many events so far only say that a parameter started over."""
        self.undecided = 0
        """How many conditions could not be decided so far."""
        self.notes: list[Node] = []
        """NET, DYNAMIC, NATIVE and UNMODELLED events."""
        self.reached: set[tuple[str, int, int]] = set()
        """(file, layer, line) of every statement executed."""
        self.calls: dict[int, tuple[str, Span]] = {}
        """Call id -> (qualified function name, where it is defined)."""
        self.spent: Counter[int] = Counter()
        """Loop -> steps it has taken so far, all of its runs together."""
        self.called: Counter[int] = Counter()
        self.walked: dict[int, int] = {}
        """Loop over a known range that nothing ended early -> how many iterations it has, four or more."""
        self.listed: set[int] = set()
        """Loops in which an element or a part of a Python list was taken, which may be shorter here than in the run."""
        self.shipped: tuple[tuple[str, str], ...] = ()
        """(file, source) of the C and C++ files beside the script."""
        self.native: dict[str, tuple[str, Summary] | None] = {}
        """Native function -> (file, what its source says of it); None where there is no source."""
        self.identities: dict[int, tuple[int, Any]] = {}
        self.consumers: dict[int, tuple[ast.AST, str, Span]] = {}
        """Submitted functions that were handed losses: syntax node, name, file and place."""
        self.counters: set[str] = set()
        """Attributes that a sampled loop counts up."""
        self.raised: list[tuple[str, Span]] = []
        """Exceptions that left the program, with their place."""
        self.reads: dict[str, Any] = {}
        """Environment name -> default, for every name that the program asked for."""
        self.span = Span("", 0, 1)
        self.keys: dict[int, Sym] = {}
        """Identity of a parameter or module -> its name."""
        self.steps = 0
        self.most_steps = limits.steps
        self.counter = 0
        self.doubts: tuple[int, ...] = ()
        """Sides, being followed, of conditions that hang on no data and could not be decided."""
        self.hooks: list[tuple[Any, Any, tuple[int, ...]]] = []
        """Module, hook, and the doubts under which it was registered."""
        self.grad_off = 0
        self.looked: dict[Any, Any] = {}
        """Call of a network -> where its prediction came to know its target, None where it did not."""
        self.flows: Any = None
        """What is asked first where values may be flows: only while a network's inside is followed."""
        self.origin, self.bos, self._starts = _stand_in(world.val_tokens)

    def tick(self, amount: int = 1) -> None:
        """Spend budget; raise BudgetExceeded when it is gone."""
        self.steps += amount
        if self.steps > self.limits.steps:
            raise BudgetExceeded("interpretation steps", self.limits.steps)

    def release(self) -> None:
        """Forget all data: scopes and the functions in them keep each other, and with them whole token streams.

        Definitions and plain settings stay, so that a function of the program can still be followed.
        """
        self.frames.clear()
        for scope in (*self.captured, *(module.scope for module in self.modules.values())):
            kept = {name: value for name, value in scope.variables.items() if _holds_no_data(value)}
            scope.variables.clear()
            scope.variables.update(kept)
        self.captured.clear()

    def starts_documents(self, positions: np.ndarray) -> np.ndarray:
        """Say of each position whether a document starts there."""
        if positions.size and positions.min() >= -1 and positions.max() < self.origin.size:
            return np.asarray(self._starts[positions])
        return np.isin(positions, self.bos)

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    @property
    def eventful(self) -> int:
        """How many things happened to data so far."""
        return len(self.nodes) - self.quiet

    def ident(self) -> int:
        self.counter += 1
        return self.counter

    def identity(self, value: Any) -> int:
        """Return a number that names this very object for the rest of the run; the object is kept alive for it."""
        if id(value) not in self.identities:
            self.identities[id(value)] = (len(self.identities) + 1, value)
        return self.identities[id(value)][0]

    def key_of(self, part: Any) -> Sym:
        """Return the name of a part of a model: not known, but the same whenever the part is named again."""
        return self.keys.setdefault(self.identity(part), Sym(name="key"))

    def node(
        self,
        kind: Kind,
        parents: Iterable[Node | None] = (),
        *,
        state: Iterable[Node | None] = (),
        region: Region = EMPTY,
        text: str = "",
        **info: Any,
    ) -> Node:
        """Append an event to the graph and return it."""
        if len(self.nodes) >= self.limits.events:
            raise BudgetExceeded("interpretation events", self.limits.events)
        frames, loops = self.frames[-1].where(self.frames) if self.frames else ((), ())
        made = Node(
            index=len(self.nodes),
            kind=kind,
            span=self.span,
            function=self.frames[-1].name if self.frames else "<module>",
            frames=frames,
            loops=loops,
            parents=_unique(parents),
            state=_unique(state),
            region=region,
            text=text,
            doubts=self.doubts,
            info=info,
        )
        self.nodes.append(made)
        return made

    def merge(self, *values: Any) -> Node | None:
        """Return one node that stands for everything the values carry, making an OP only when there are several."""
        found: dict[int, Node] = {}
        for value in values:
            if type(value) is Sym:
                if value.node is not None:
                    found[value.node.index] = value.node
            elif type(value) not in ATOMS:
                for node in nodes_in(value):
                    found[node.index] = node
        if not found:
            return None
        if len(found) == 1:
            return next(iter(found.values()))
        return self.node(Kind.OP, found.values())

    def unknown(self, *values: Any, name: str = "") -> Sym:
        """Return a value of which only its origins are known."""
        mark = Mark.NONE
        for value in values:
            if isinstance(value, Sym):
                mark |= value.mark & _STICKY
        return Sym(self.merge(*values), mark=mark, name=name)

    def note(self, kind: Kind, text: str, values: Iterable[Any] = (), **info: Any) -> Node:
        """Record an event that no value carries."""
        made = self.node(kind, nodes_in(list(values)), text=text, **info)
        self.notes.append(made)
        return made


def _holds_no_data(value: Any) -> bool:
    """Say whether a variable is a definition, a plain value, or an object of plain values such as a bag of settings."""
    if isinstance(value, Instance):
        return all(type(held) in ATOMS for held in value.attrs.values())
    if isinstance(value, (list, tuple)):
        return len(value) <= _FEW and all(type(held) in ATOMS for held in value)
    return type(value) in ATOMS or isinstance(value, (Class, External, Function, ModuleInfo))


_FEW = 64
"""Elements of a list that counts as a setting."""
_STICKY = Mark.TRAIN | Mark.VOCAB | Mark.NLL | Mark.CLOCK | Mark.LOGITS | Mark.COUNTED


def _unique(nodes: Iterable[Node | None]) -> tuple[Node, ...]:
    return tuple({node.index: node for node in nodes if node is not None}.values())


@lru_cache(maxsize=1)
def _stand_in(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of the stand-in stream and of its document starts, and a flag per position for the latter.

    The flags end with that of position -1, which is no token. Nobody may write to any of them.
    """
    origin, starts = np.arange(length, dtype=np.int32), _document_starts(length)
    flags = np.zeros(length + 1, dtype=np.bool_)
    flags[starts] = True
    for array in (origin, starts, flags):
        array.flags.writeable = False
    return origin, starts, flags


def _document_starts(length: int) -> np.ndarray:
    """Return positions of document starts in the stand-in stream: 200 to 2,600 tokens apart, irregular, repeatable.

    Real documents of the validation set average about 1,240 tokens (62,021,632 tokens in 50,000 documents).
    """
    gaps = 200 + (np.arange(length // 200 + 2, dtype=np.int64) * 7919) % 2400
    starts = np.concatenate(([0], np.cumsum(gaps)))
    return starts[starts < length]
