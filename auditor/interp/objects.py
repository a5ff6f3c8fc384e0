"""Methods of library objects: modules, optimisers, paths and files, tokenisers, parsers, schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.interp.arguments import parser_method
from auditor.interp.effects import path_text, read_array, record_print, split_of, step, store
from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.modules import call_module, is_module, parameter, reachable, saved_tensors
from auditor.interp.native import call_native
from auditor.interp.pieces import PIECE
from auditor.interp.resets import overwritten, reset
from auditor.interp.sorts import asked
from auditor.interp.values import LIVE, Instance, Mark, Sym, Text

Handler = Callable[[Machine, Instance, tuple[Any, ...], dict[str, Any]], Any]


def call_object_method(m: Machine, receiver: Instance, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method that no submitted class defines."""
    if is_module(receiver) and name in MODULE:
        return MODULE[name](m, receiver, args, kwargs)
    if receiver.library == "torch.optim.Optimizer" and name in OPTIMIZER:
        return OPTIMIZER[name](m, receiver, args, kwargs)
    if receiver.library == "pathlib.Path":
        return path_method(m, receiver, name, args, kwargs)
    if receiver.library == "file":
        return _file_method(m, receiver, name, args)
    if receiver.library == "hook":
        m.hooks = [entry for entry in m.hooks if entry is not receiver.attrs.get("entry")]
        return None
    if receiver.library.startswith("argparse."):
        return parser_method(m, receiver, name, args, kwargs)
    if receiver.library.startswith("sentencepiece."):
        return _tokenizer_method(m, receiver, name, args)
    if receiver.library == "native":
        return call_native(m, name, args, kwargs)
    if receiver.library == "torch.autograd.Function" or (receiver.cls is not None and name == "apply"):
        return m.unknown(*args)
    if name in ("step", "update") and args and isinstance(args[0], Instance):
        step(m, args[0])
        return None
    if name == "scale" and args:
        return args[0]
    if name in ("items", "keys", "values") and isinstance(receiver.attrs.get("items"), dict):
        return list(getattr(receiver.attrs["items"], name)())
    if name == "append" and isinstance(receiver.attrs.get("items"), list):
        receiver.attrs["items"].append(args[0] if args else None)
        return None
    if name in ("submit", "map", "apply_async") and args:
        from auditor.interp.calls import call

        result = call(m, args[0], tuple(args[1:]), kwargs)
        return Instance(None, "future") if result is None else _future(result)
    if name == "result":
        return receiver.attrs.get("value")
    if name == "start" and "target" in receiver.attrs:
        from auditor.interp.calls import call

        arguments = receiver.attrs.get("args", ())
        return call(m, receiver.attrs["target"], tuple(arguments) if isinstance(arguments, (tuple, list)) else (), {})
    return m.unknown(receiver, *args, *kwargs.values())


def _future(value: Any) -> Instance:
    made = Instance(None, "future")
    made.attrs["value"] = value
    return made


def _parameters(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return reachable(r)


def _named(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return [(m.key_of(p), p) for p in reachable(r)]


def _buffers(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return [s for s in saved_tensors(r) if not s.mark & Mark.PARAM]


def _modules(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found: list[Any] = []
    stack: list[Any] = [r]
    seen: set[int] = set()
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Instance):
            if is_module(item):
                found.append(item)
            stack.extend(item.attrs.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item[:64])
        elif isinstance(item, dict):
            stack.extend(list(item.values())[:64])
    return found


def _named_modules(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return [(m.key_of(module), module) for module in _modules(m, r, args, kwargs)]


def _state_dict(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    node = m.merge(*saved_tensors(r))
    if node is None:
        node = m.node(Kind.OP, text="state_dict")
    made = Sym(node, mark=Mark.STATE, name="state_dict")
    made.attrs = {LIVE: r}
    return made


def _load_state_dict(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    source = args[0] if args else kwargs.get("state_dict")
    if isinstance(source, Sym) and (source.attrs or {}).get(LIVE) is r:
        # Nothing was put into it since: it holds the very tensors that it is to overwrite.
        return Sym(name="keys")
    node = m.node(Kind.PARAM_WRITE, [m.merge(source)], text="load_state_dict")
    for tensor in reachable(r):
        overwritten(m, tensor)
        tensor.node = node
    return Sym(name="keys")


def _reset_parameters(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for tensor in r.attrs.values():
        if isinstance(tensor, Sym) and tensor.mark & Mark.PARAM:
            reset(m, tensor)
    return None


def _zero_grad(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    m.pending.clear()
    return None


def _self(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return r


def _register_buffer(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) > 1 and isinstance(args[0], str):
        r.attrs[args[0]] = args[1]
    return None


def _register_parameter(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) > 1 and isinstance(args[0], str):
        r.attrs[args[0]] = args[1] if isinstance(args[1], Sym) else parameter(m)
    return None


def _hook(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    entry = (r, args[0] if args else None, m.doubts)
    m.hooks.append(entry)
    made = Instance(None, "hook")
    made.attrs["entry"] = entry
    return made


def _append(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    items = r.attrs.setdefault("items", [])
    if isinstance(items, list):
        items.extend(args)
    return r


def _forward(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return call_module(m, r, args, kwargs)


def _none(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return None


APPLIED = 400
"""Parts of a model that a function is applied to: a reset has to reach the last one."""


def _apply(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from auditor.interp.calls import call

    for module in _modules(m, r, args, kwargs)[:APPLIED]:
        call(m, args[0], (module,), {}) if args else None
    return r


MODULE: dict[str, Handler] = {
    "parameters": _parameters,
    "named_parameters": _named,
    "buffers": _buffers,
    "named_buffers": lambda m, r, a, k: [(m.key_of(s), s) for s in _buffers(m, r, a, k)],
    "modules": _modules,
    "children": _modules,
    "named_modules": _named_modules,
    "named_children": _named_modules,
    "state_dict": _state_dict,
    "load_state_dict": _load_state_dict,
    "reset_parameters": _reset_parameters,
    "zero_grad": _zero_grad,
    "register_buffer": _register_buffer,
    "register_parameter": _register_parameter,
    "register_forward_hook": _hook,
    "register_forward_pre_hook": _hook,
    "register_full_backward_hook": _none,
    "append": _append,
    "add_module": _register_buffer,
    "forward": _forward,
    "apply": _apply,
    **{
        name: _self
        for name in [
            "eval",
            "train",
            "to",
            "cuda",
            "cpu",
            "float",
            "half",
            "bfloat16",
            "double",
            "requires_grad_",
            "compile",
        ]
    },
}


def _step(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if args and not isinstance(args[0], (Instance, type(None))):
        from auditor.interp.calls import call

        m.pending.clear()
        call(m, args[0], (), {})
    step(m, r)
    return Sym(name="loss")


def _add_group(m: Machine, r: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    r.attrs["params"] = [r.attrs.get("params"), *args]
    return None


OPTIMIZER: dict[str, Handler] = {
    "step": _step,
    "zero_grad": _zero_grad,
    "add_param_group": _add_group,
    "state_dict": lambda m, r, a, k: Sym(mark=Mark.STATE, name="optimizer"),
    "load_state_dict": _none,
    "train": _none,
    "eval": _none,
}


def make_path(text: Any) -> Instance:
    """Create a pathlib.Path."""
    made = Instance(None, "pathlib.Path")
    made.attrs["path"] = text
    name = path_text(text).rsplit("/", 1)[-1]
    made.attrs["name"], made.attrs["stem"], made.attrs["suffix"] = (
        name,
        name.split(".")[0],
        "." + name.rsplit(".", 1)[-1],
    )
    return made


def parent_of(path: Instance) -> Instance:
    """Return the directory of a path; `.` for a bare name."""
    text = path_text(path)
    return make_path(text.rsplit("/", 1)[0] if "/" in text else ".")


def path_method(m: Machine, r: Instance, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Model pathlib.Path: joining, globbing the official data, reading and writing."""
    text = path_text(r)
    if name in ("__truediv__", "joinpath", "with_name", "with_suffix"):
        return make_path("/".join([text, *[path_text(a) for a in args]]))
    if name in ("glob", "rglob"):
        return [make_path(f"{text}/{glob_one(path_text(args[0] if args else ''))}")]
    if name in ("exists", "is_file", "is_dir"):
        return True if f"file:{text}" in m.files or split_of(text) else Sym(name="exists")
    if name in ("resolve", "absolute", "expanduser"):
        return r
    if name in ("read_bytes", "read_text"):
        return read_file(m, text)
    if name in ("write_bytes", "write_text"):
        write_file(m, text, args[0] if args else None)
        return None
    if name == "open":
        return open_file(m, text)
    if name == "as_posix":
        return text
    if name == "stat":
        return Sym(name="stat")
    return Sym(name=name)


def glob_one(pattern: str) -> str:
    """Return the one file that a glob over the official data is taken to match."""
    return pattern.replace("**/", "").replace("*", "000000").replace("?", "0")


def open_file(m: Machine, text: str) -> Instance:
    """Open a file of the world; writing it is remembered."""
    made = Instance(None, "file")
    made.attrs["path"] = text
    return made


def read_file(m: Machine, text: str) -> Any:
    """Read a whole file: what was written to it, a data split, or something unknown."""
    known = m.files.get(f"file:{text}")
    if known is not None:
        return known
    if split_of(text):
        return read_array(m, text)
    return Sym(m.node(Kind.LOAD, text=f"data from {text or 'an unknown path'}", split=""), name="file")


def write_file(m: Machine, text: str, value: Any) -> None:
    """Write a value to a file; JSON and text become printed lines as well, since results are claimed that way."""
    m.files[f"file:{text}"] = value
    if isinstance(value, (str, Text)):
        record_print(m, value.parts if isinstance(value, Text) else (value,), "json")


def _file_method(m: Machine, r: Instance, name: str, args: tuple[Any, ...]) -> Any:
    text = path_text(r)
    if name in ("read", "readline", "readlines", "getvalue", "getbuffer", "__iter__"):
        content = r.attrs.get("content")
        return content if content is not None else read_file(m, text)
    if name == "write" and args:
        value = args[0]
        if isinstance(value, (str, Text)):
            record_print(m, value.parts if isinstance(value, Text) else (value,))
        elif isinstance(value, Sym):
            previous = r.attrs.get("content")
            merged = Sym(m.merge(previous, value), mark=value.mark) if previous is not None else value
            r.attrs["content"] = merged
            store(m, r, merged)
        return None
    if name == "__enter__":
        return r
    return Sym(name=name) if name not in ("close", "flush", "seek", "__exit__") else None


def _tokenizer_method(m: Machine, r: Instance, name: str, args: tuple[Any, ...]) -> Any:
    """Tokeniser look-ups depend on the tokeniser alone unless they decode validation tokens."""
    if name in ("vocab_size", "get_piece_size", "GetPieceSize", "piece_size", "__len__"):
        return 1024
    if name in ("bos_id", "eos_id", "pad_id", "unk_id"):
        return 1
    if name in ("Load", "load"):
        return True
    made = m.unknown(*args)
    if made.node is None:
        made.node = m.node(Kind.LOAD, text="tokenizer", split="tokenizer")
    first = args[0] if args else None
    if isinstance(first, Sym) and first.pos is not None:
        made.pos, made.shape, made.keys = first.pos, first.shape, first.keys
    made.mark |= Mark.VOCAB
    if name in ("id_to_piece", "IdToPiece"):
        made.name = PIECE
    asked(made, name, args)
    return made
