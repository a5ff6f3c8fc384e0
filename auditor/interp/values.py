"""Values of the abstract interpreter.

Known Python scalars, strings, lists, dicts, tuples, sets and ranges stand for themselves. Everything else is one of
the classes here. `Sym` is the workhorse: an array, tensor or scalar whose content is not known but whose shape,
integer content (for index arithmetic) and per-element token positions may be. Nothing here runs submitted code.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from auditor.interp.graph import Node
from auditor.model.source import Span

POSITION_CAP = 8_500_000
"""Largest array that is held element by element; beyond it only shapes are kept."""

SAVED = "saved"
"""Attribute of a loaded state: the dictionary that was serialised, for its numbers and tables."""

HELD = "held"
"""Attribute of a data file's header: how many tokens the file holds, which its entry `HELD_AT` says."""
HELD_AT = 2
VIEWED = "viewed"
"""Attribute of an array in another layout: the allocated array whose elements it shows."""
LIVE = "live"
"""Attribute of a state that was not copied: the module whose tensors it holds, as they are."""

SHARE = "share"
"""Attribute of an array that holds a count divided by a total: nothing in it exceeds one."""


FACTOR = "factor"
"""Attribute of losses that were just multiplied with a number: that number."""


BUFFER = "buffer"
"""Name of an array that was read out of bytes."""


class Mark:
    """What a `Sym` is known to be, from where it came from and never from its name. Plain ints, to be or-ed."""

    NONE = 0
    TOKENS = 1
    """Holds token ids."""
    LOGITS = 2
    """A score for every entry of the vocabulary, or an elementwise function of one."""
    NLL = 4
    """A per-token or reduced loss of realised tokens, or an elementwise function of one."""
    PARAM = 8
    """A tensor that can learn."""
    TRAIN = 16
    """Read from a training shard."""
    TABLE = 32
    """An array that was allocated here and indexed by data: a cache or count table."""
    STATE = 64
    """A state dict or the bytes of one."""
    BYTES = 128
    """Byte lengths of tokens."""
    VOCAB = 256
    """Read from the tokenizer."""
    CLOCK = 512
    """Read from a clock."""
    HIDDEN = 1024
    """Output of a model that is not a loss."""
    OWNED = 4096
    """A parameter that hangs below a module."""
    LOOKUP = 8192
    """Read out of a table at a key made of data."""
    MIXED = 16384
    """Several token arrays combined by arithmetic: a hash."""
    TOLD = 32768
    """Made from the tokens at its positions, not these tokens: a hint that knew the token at its place."""
    COUNTED = 131072
    """A number that a sampled loop counted up: not known, since iterations were left out."""
    SCALED = 262144
    """Token arrays times a whole vocabulary: there is room for one more token."""
    ROWS = 524288
    """A row-major index: the last of its keys is the column, the others are the row."""
    WIDE = 1048576
    """Tokens times a number: they may exceed the vocabulary."""
    ZEROED = 4194304
    """A parameter that starts at zero."""
    STEPPED = 2097152
    """A parameter of an optimiser that has made steps, or that may be: a sampled loop left it out of a list."""
    GRADIENT = 65536
    """A gradient of a parameter outside every module, or an elementwise function of one."""
    NORMAL = 2048
    """Sums to one over its last axis by construction (softmax or a division by its own sum)."""


class Sym:
    """An abstract value. Mutable on purpose: in-place operations change `node`, which is a fresh graph node."""

    __slots__ = ("attrs", "grad", "keys", "mark", "name", "node", "pos", "shape", "val")

    def __init__(
        self,
        node: Node | None = None,
        *,
        shape: tuple[int, ...] | None = None,
        val: np.ndarray | None = None,
        pos: np.ndarray | None = None,
        keys: tuple[np.ndarray, ...] = (),
        mark: int = Mark.NONE,
        name: str = "",
    ) -> None:
        self.node = node
        self.shape = shape
        self.val = val
        """Integer, bool or float content where it is known; always of `shape`."""
        self.pos = pos
        """Validation position of each element (tokens, or losses of those tokens); -1 for none."""
        self.keys = keys
        """Further positions that each element was mixed from (hash arithmetic over several token arrays)."""
        self.mark = mark
        self.name = name
        self.attrs: dict[str, Any] | None = None
        self.grad: Node | None = None
        if shape is None:
            source = val if val is not None else pos
            if source is not None:
                self.shape = source.shape

    def __repr__(self) -> str:
        return f"Sym({self.name or self.mark}, shape={self.shape})"


class Text:
    """A string of which some parts are unknown; `parts` alternates freely between str and Sym-like values."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self.parts = parts


class Scope:
    """Names of a module, class body or function call."""

    __slots__ = ("globals", "names", "nonlocals", "parent", "variables")

    def __init__(self, parent: Scope | None, variables: dict[str, Any] | None = None) -> None:
        self.parent = parent
        self.variables: dict[str, Any] = {} if variables is None else variables
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.names: Any = None


class ModuleInfo:
    """A module of the submission that is being interpreted."""

    __slots__ = ("file", "layer", "loads", "name", "scope", "spans", "tree")

    def __init__(self, name: str, file: str, layer: int, tree: ast.Module) -> None:
        self.name, self.file, self.layer, self.tree = name, file, layer, tree
        self.scope = Scope(None)
        self.spans: dict[ast.AST, Span] = {}
        """Where the statements and calls are that were executed so far."""
        self.loads: dict[ast.AST, ast.expr] = {}
        """Targets of augmented assignments, as expressions that read them."""

    def span(self, node: ast.stmt | ast.expr) -> Span:
        """Return the place of a syntax node of this module."""
        known = self.spans.get(node)
        if known is None:
            known = self.spans[node] = Span(self.file, self.layer, node.lineno, node.col_offset + 1)
        return known


class Function:
    """A function or lambda of the submission."""

    __slots__ = ("attrs", "defaults", "kind", "kw_defaults", "module", "name", "node", "owner", "scope")

    def __init__(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        name: str,
        module: ModuleInfo,
        scope: Scope,
        defaults: tuple[Any, ...],
        kw_defaults: dict[str, Any],
    ) -> None:
        self.node, self.name, self.module, self.scope = node, name, module, scope
        self.defaults, self.kw_defaults = defaults, kw_defaults
        self.kind = "function"
        """function, static, class or property."""
        self.owner: Class | None = None
        self.attrs: dict[str, Any] = {}


class Class:
    """A class of the submission."""

    __slots__ = ("attrs", "bases", "dataclass", "fields", "module", "name", "neural", "node", "reads_settings")

    def __init__(self, node: ast.ClassDef, module: ModuleInfo, bases: tuple[Any, ...]) -> None:
        self.node, self.module, self.bases = node, module, bases
        self.name = node.name
        self.attrs: dict[str, Any] = {}
        self.fields: list[str] = []
        self.dataclass = False
        self.neural: bool | None = None
        """Whether it is an nn.Module by its bases; None until asked."""
        self.reads_settings: bool | None = None
        """Whether its body reads the environment or the command line; None until asked."""

    def lookup(self, name: str) -> Any:
        """Return a class attribute along the bases, or `MISSING`."""
        if name in self.attrs:
            return self.attrs[name]
        for base in self.bases:
            if isinstance(base, Class):
                found = base.lookup(name)
                if found is not MISSING:
                    return found
        return MISSING

    def external_bases(self) -> tuple[str, ...]:
        """Return dotted names of library bases, inherited ones included."""
        found: list[str] = []
        for base in self.bases:
            if isinstance(base, Class):
                found.extend(base.external_bases())
            elif isinstance(base, External):
                found.append(base.path)
        return tuple(found)


class Instance:
    """An object of a class of the submission, or of a library class that is modelled as a bag of attributes."""

    __slots__ = ("attrs", "cls", "library")

    def __init__(self, cls: Class | None, library: str = "") -> None:
        self.cls = cls
        self.library = library
        """Dotted name of the library class, for objects that no submitted class describes."""
        self.attrs: dict[str, Any] = {}


class Defaulting(dict[Any, Any]):
    """collections.defaultdict and Counter: a missing key is made by `factory`."""

    def __init__(self, factory: Any) -> None:
        super().__init__()
        self.factory = factory


class External:
    """A library module, function or class, by dotted path."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class Bound:
    """A method bound to its receiver; `function` is a submitted Function, or the name of a modelled method."""

    __slots__ = ("function", "receiver")

    def __init__(self, receiver: Any, function: Function | str) -> None:
        self.receiver, self.function = receiver, function


class Partial:
    """functools.partial, and callables that wrap another one."""

    __slots__ = ("args", "function", "kwargs")

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


def shown(value: Any) -> Any:
    """Return the array whose elements a value shows in another layout, the value itself where it is none of those."""
    return value.attrs.get(VIEWED, value) if isinstance(value, Sym) and value.attrs is not None else value


def nodes_in(value: Any, depth: int = 4) -> list[Node]:
    """Return the graph nodes that a value carries, containers and objects included, each once."""
    found: dict[int, Node] = {}
    _collect(value, found, depth, set())
    return list(found.values())


ATOMS = frozenset((bool, bytes, float, int, range, str, type(None)))
"""Classes of values that carry no graph nodes."""


def _collect(value: Any, found: dict[int, Node], depth: int, seen: set[int]) -> None:
    if type(value) is Sym:
        if value.node is not None:
            found[value.node.index] = value.node
        return
    if depth <= 0 or type(value) in ATOMS:
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    children: Any = ()
    if isinstance(value, dict):
        children = [*list(value.values())[:64], *[key for key in list(value)[:64] if isinstance(key, Sym)]]
    elif isinstance(value, (list, tuple, set, frozenset)):
        children = list(value)[:64]
    elif isinstance(value, Instance):
        children = list(value.attrs.values())[:200]
    elif isinstance(value, Text):
        children = value.parts
    elif isinstance(value, (Partial,)):
        children = (*value.args, *value.kwargs.values())
    elif isinstance(value, Bound):
        children = (value.receiver,)
    for child in children:
        _collect(child, found, depth - 1, seen)
