"""Library calls with effects: reading and writing files, learning, printing, leaving the analysed world."""

from __future__ import annotations

import copy as _copy
import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import numpy as np

from auditor.interp.graph import Kind, ancestors
from auditor.interp.machine import Machine, Printed
from auditor.interp.modules import parameter, reachable
from auditor.interp.region import Region
from auditor.interp.resets import reset
from auditor.interp.updates import gradient_of, per_row, vector
from auditor.interp.values import BUFFER, HELD, LIVE, SAVED, External, Instance, Mark, Sym, Text, nodes_in

_VAL_FILE = re.compile(r"(?:^|[^a-z])(?:val|valid|validation)(?:[^a-z]|$)", re.IGNORECASE)
_TRAIN_FILE = re.compile(r"(?:^|[^a-z])train(?:[^a-z]|$)", re.IGNORECASE)
_BYTE_SIDECAR = re.compile(r"(?:val|valid|validation)_?bytes", re.IGNORECASE)


_NOT_DATA = (".py", ".json", ".md", ".txt", ".log", ".pt", ".pth", ".ptz", ".model", ".csv", ".yaml", ".toml")


TRAINING_TOKENS = 100_000_000
"""Tokens of a shard of the official training split."""


def split_of(path: str) -> str:
    """Say which split of the official data a path names: val, train, bytes (a byte-length sidecar) or "".

    The official shards are called fineweb_val_*.bin and fineweb_train_*.bin; the data set fixes these names, not the
    submission. Only the last path component counts, then the one above.
    """
    if path.lower().endswith(_NOT_DATA):
        return ""
    for part in reversed(path.replace("\\", "/").split("/")[-2:]):
        if _BYTE_SIDECAR.search(part):
            return "bytes"
        if _VAL_FILE.search(part):
            return "val"
        if _TRAIN_FILE.search(part):
            return "train"
    return ""


def path_text(value: Any) -> str:
    """Return the text of a path value; unknown parts are left out."""
    if isinstance(value, str):
        return value
    if isinstance(value, Text):
        return "".join(part for part in value.parts if isinstance(part, str))
    if isinstance(value, Instance) and isinstance(value.attrs.get("path"), (str, Text)):
        return path_text(value.attrs["path"])
    return ""


def read_array(m: Machine, path: str, count: Any = None) -> Sym:
    """Read a data file: the validation split is a stream of known positions, the training split carries its mark."""
    split = split_of(path)
    if isinstance(count, int) and 0 < count <= 4096:
        header = Sym(None, shape=(count,), name="header")
        header.attrs = {HELD: TRAINING_TOKENS if split == "train" else m.origin.size} if split else None
        return header
    if split == "val":
        stream = m.origin
        node = m.node(Kind.LOAD, region=Region(((0, stream.size),)), text=f"validation tokens from {path}", split="val")
        return Sym(node, pos=stream, mark=Mark.TOKENS)
    if split == "bytes":
        node = m.node(Kind.LOAD, text=f"validation byte lengths from {path}", split="bytes")
        return Sym(node, shape=(m.origin.size,), mark=Mark.BYTES)
    if split == "train":
        node = m.node(Kind.LOAD, text=f"training tokens from {path}", split="train")
        return Sym(node, shape=(TRAINING_TOKENS,), mark=Mark.TOKENS | Mark.TRAIN)
    known = m.files.get(f"file:{path}")
    if isinstance(known, Sym):
        return Sym(known.node, shape=known.shape, pos=known.pos, mark=known.mark)
    node = m.merge(known) or m.node(Kind.LOAD, text=f"data from {path or 'an unknown path'}", split="")
    return Sym(node, name="file")


def _fromfile(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    source = args[0] if args else kwargs.get("file", kwargs.get("filename"))
    if isinstance(source, Sym):
        return Sym(source.node, shape=source.shape, pos=source.pos, mark=source.mark)
    return read_array(m, path_text(source), kwargs.get("count", args[2] if len(args) > 2 else None))


def _frombuffer(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    source = args[0] if args else None
    if isinstance(source, Sym):
        return Sym(source.node, shape=source.shape, pos=source.pos, mark=source.mark, name=BUFFER)
    return Sym(m.merge(source), name=BUFFER)


def _backward(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for loss in args[:1]:
        backward(m, loss)
    return None


def backward(m: Machine, loss: Any) -> None:
    """Record a backward pass: its gradients wait for the next optimiser step."""
    found = nodes_in(loss)
    if found:
        m.pending.append(m.node(Kind.BACKWARD, found))


DIFFERENTIATED = "value and gradients"
"""Library name of a function that returns a loss with its gradients."""


def _grad(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    node = m.node(Kind.BACKWARD, nodes_in(args[0]) if args else [])
    wanted = args[1] if len(args) > 1 else kwargs.get("inputs")
    learners = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    if len(learners) > MAX_LOOSE:
        return tuple(Sym(node, name="grad") for _ in learners)
    return tuple(gradient_of(learner, Sym(node, name="grad")) for learner in learners)


def _value_and_grad(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what computes a loss and its gradients; `differentiated` is called in its place."""
    function = args[1] if len(args) > 1 else (args[0] if args else None)
    made = Instance(None, DIFFERENTIATED)
    made.attrs["function"] = function
    return made


def differentiated(m: Machine, receiver: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function for its value and gradients; how an update uses them in that library is not modelled."""
    from auditor.interp.calls import call

    loss = call(m, receiver.attrs["function"], args, kwargs)
    node = m.node(Kind.BACKWARD, nodes_in(loss))
    if any(isinstance(v, Sym) and v.mark & Mark.TOKENS and not v.mark & Mark.TRAIN for v in (*args, *kwargs.values())):
        m.note(Kind.UNMODELLED, "an update by gradients of validation tokens", [loss], learns=True)
    return (loss, Sym(node, name="grads"))


def step(m: Machine, optimizer: Instance) -> None:
    """Apply pending gradients to every parameter that the optimiser holds."""
    targets = reachable(optimizer.attrs.get("params"))
    for target in targets:
        # Also where the gradients have gone: of several optimisers in a loop, the first may have cleared them for all.
        target.mark |= Mark.STEPPED
    if not m.pending:
        return
    loose = [s for s in _tensors(optimizer.attrs.get("params")) if s not in targets]
    learners = [*targets, *loose]
    if not learners:
        return
    loose_only = len(learners) <= MAX_LOOSE and not any(s.mark & Mark.OWNED for s in learners)
    node = m.node(
        Kind.STEP,
        [*m.pending, *[s.node for s in learners[:400]]],
        count=len(learners),
        loose=loose_only,
        rows=loose_only and all(per_row(s) for s in learners),
        vector=loose_only and all(vector(s) for s in learners),
    )
    for learner in learners:
        learner.node = node


MAX_LOOSE = 6
"""Parameters of a window's own adaptation (delta, bias, scale); an optimiser over more is one of weights."""


def _tensors(value: Any, depth: int = 4) -> list[Sym]:
    if isinstance(value, Sym):
        return [value]
    if depth and isinstance(value, (list, tuple)):
        return [s for item in value[:400] for s in _tensors(item, depth - 1)]
    if depth and isinstance(value, dict):
        return [s for item in list(value.values())[:400] for s in _tensors(item, depth - 1)]
    return []


def _optimizer(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    made = Instance(None, "torch.optim.Optimizer")
    params = args[0] if args else kwargs.get("params")
    made.attrs["params"] = params
    made.attrs["param_groups"] = groups_of(params)
    return made


def groups_of(params: Any) -> list[Any]:
    """Return the parameter groups of an optimiser that was given these parameters."""
    return params if isinstance(params, list) and params and isinstance(params[0], dict) else [{"params": params}]


def _param(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return parameter(m, "parameter", args[0] if args else None)


def _same(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if args:
        return args[0]
    return External(f"pgolf.identity.{path}")


def _copied(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return deep_copy(args[0]) if args else None


def deep_copy(value: Any) -> Any:
    """Copy a value so that later learning in one copy does not show in the other."""
    memo: dict[int, Any] = {}

    def walk(item: Any) -> Any:
        if id(item) in memo:
            return memo[id(item)]
        if isinstance(item, Sym):
            made: Any = _copy.copy(item)
            if item.attrs and LIVE in item.attrs:
                made.attrs = {key: value for key, value in item.attrs.items() if key != LIVE}
            memo[id(item)] = made
            return made
        if isinstance(item, Instance):
            made = Instance(item.cls, item.library)
            memo[id(item)] = made
            made.attrs.update({key: walk(child) for key, child in item.attrs.items()})
            return made
        if isinstance(item, list):
            made = memo[id(item)] = []
            made.extend(walk(child) for child in item)
            return made
        if isinstance(item, dict):
            made = memo[id(item)] = {}
            made.update({key: walk(child) for key, child in item.items()})
            return made
        if isinstance(item, tuple):
            return tuple(walk(child) for child in item)
        return item

    return walk(value)


def _print(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    separator = kwargs.get("sep", " ")
    parts: list[Any] = []
    for i, value in enumerate(args):
        if i and isinstance(separator, str):
            parts.append(separator)
        parts.extend(value.parts if isinstance(value, Text) else (value,))
    record_print(m, tuple(parts))
    return None


def record_print(m: Machine, parts: tuple[Any, ...], sink: str = "log") -> None:
    """Remember one line of output with the values in it."""
    if len(m.printed) < 4_000:
        index = len(m.nodes)
        frames = tuple(frame.ident for frame in m.frames)
        m.printed.append(Printed(index, parts, m.span, m.frame.name, frames, sink))


def _foreach(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if path.endswith(("_foreach_copy_", "_foreach_zero_")) and isinstance(args[0], (list, tuple)):
        sources = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        for target, source in zip_longest(args[0], sources[: len(args[0])]):
            if isinstance(target, Sym):
                reset(m, target, source)
        return None
    targets = reachable(args[0]) or _tensors(args[0])
    carried = m.merge(*targets[:64], *args[1:], *m.controls)
    node = m.node(Kind.PARAM_WRITE, [carried])
    for target in targets:
        target.node = node
    return None


def _serialize(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = args[0] if args else None
    node = m.node(Kind.SERIALIZE, nodes_in(value, depth=6), text=path, original=value)
    blob = Sym(node, mark=Mark.STATE)
    if len(args) > 1:
        store(m, args[1], blob, value)
    return blob


def store(m: Machine, target: Any, blob: Any, original: Any = None) -> None:
    """Write a value to a file or buffer, so that reading it back finds the same origins."""
    if isinstance(target, Instance):
        target.attrs["content"] = blob
        m.files[f"file:{path_text(target)}"] = blob
    elif path_text(target):
        m.files[f"file:{path_text(target)}"] = blob


def _deserialize(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    source = args[0] if args else None
    if isinstance(source, Instance):
        source = source.attrs.get("content", source)
    elif path_text(source):
        source = m.files.get(
            f"file:{path_text(source)}", Sym(m.node(Kind.LOAD, text=f"state from {path_text(source)}", saved=True))
        )
    made = Sym(m.merge(source), mark=Mark.STATE, name="loaded")
    behind = ancestors(made.node, into_state=False, cap=40) if made.node is not None else ()
    saved = next((n for n in behind if n.kind is Kind.SERIALIZE), None)
    if saved is not None and isinstance(saved.info.get("original"), dict):
        made.attrs = {SAVED: saved.info["original"]}
    return made


def _note(kind: Kind, **info: bool) -> Callable[[Machine, str, tuple[Any, ...], dict[str, Any]], Any]:
    def handler(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        m.note(kind, path, args, **info)
        return m.unknown(*args, *kwargs.values(), name=path)

    return handler


def _importer(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Import by name: what the submission ships or carries is interpreted, anything else is code that is not known."""
    from auditor.interp.imports import load_local

    local = load_local(m, args[0]) if args and isinstance(args[0], str) else None
    return local if local is not None else _note(Kind.DYNAMIC)(m, path, args, kwargs)


def _native(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    m.note(Kind.NATIVE, path, args)
    return Instance(None, "native")


def _constant(value: Any) -> Callable[[Machine, str, tuple[Any, ...], dict[str, Any]], Any]:
    def handler(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return value

    return handler


def _clock(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return Sym(mark=Mark.CLOCK, shape=(), name="scalar")


def content_of(value: Any) -> np.ndarray | None:
    """Return the known content of a value as an array."""
    if isinstance(value, Sym):
        return value.val
    return np.asarray(value) if isinstance(value, (int, float)) else None


HANDLERS: dict[str, Callable[[Machine, str, tuple[Any, ...], dict[str, Any]], Any]] = {
    "fromfile": _fromfile,
    "frombuffer": _frombuffer,
    "backward": _backward,
    "grad": _grad,
    "value_and_grad": _value_and_grad,
    "optimizer": _optimizer,
    "param": _param,
    "same": _same,
    "copy": _copied,
    "print": _print,
    "foreach": _foreach,
    "serialize": _serialize,
    "deserialize": _deserialize,
    "network": _note(Kind.NET),
    "importer": _importer,
    "process": _note(Kind.DYNAMIC, process=True),
    "dynamic": _note(Kind.DYNAMIC),
    "native": _native,
    "clock": _clock,
    "true": _constant(True),
    "false": _constant(False),
    "one": _constant(1),
    "zero": _constant(0),
    "nothing": _constant(None),
}
