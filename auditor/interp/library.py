"""Library calls: look the dotted path up in the models and run the handler of its kind."""

from __future__ import annotations

from typing import Any

from auditor.apis.models import models
from auditor.interp.arrays import HANDLERS as ARRAYS
from auditor.interp.effects import HANDLERS as EFFECTS
from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.modules import is_module, library_module
from auditor.interp.python import FUNCTIONS
from auditor.interp.resets import reset
from auditor.interp.rounding import call_rounding
from auditor.interp.values import External, Instance, Mark, Sym

_MODULE_HOMES = ("torch.nn.", "torch.nn.modules.")
_MORE = {"rounding": call_rounding}


def call_library(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a library function or class by dotted path."""
    if m.flows is not None and (found := m.flows.library(m, path, args, kwargs)) is not NotImplemented:
        return found
    function = FUNCTIONS.get(path)
    if function is not None:
        return function(m, args, kwargs)
    table = models()
    kind = table.kinds.get(path, "")
    handler = ARRAYS.get(kind) or EFFECTS.get(kind) or _MORE.get(kind)
    if handler is not None:
        return handler(m, path, args, kwargs)
    if _is_layer(path):
        return library_module(m, path, args, kwargs)
    if path.startswith(("torch.nn.init.", "torch.distributed.")):
        return _collective(m, path, args, kwargs)
    if path.startswith(("torch.utils.data.", "argparse.", "threading.", "concurrent.")):
        made = Instance(None, path)
        made.attrs["args"] = args
        made.attrs.update(kwargs)
        return made
    if path.startswith("sentencepiece."):
        return Instance(None, path)
    if not table.is_pure(path):
        data = [v for v in (*args, *kwargs.values()) if isinstance(v, Sym) and v.node is not None]
        if escapes(args, kwargs):
            m.note(Kind.UNMODELLED, path, [*args, *kwargs.values()], learns=True)
        if any(v.mark & (Mark.TOKENS | Mark.PARAM | Mark.NLL | Mark.LOGITS) for v in data):
            return Sym(
                m.note(Kind.UNMODELLED, path, data), mark=Mark.NLL if any(v.mark & Mark.NLL for v in data) else 0
            )
    if path.endswith(("Generator", "Event", "Stream", "autocast", "default_rng", "RandomState", "Random")):
        return Instance(None, path)
    made_sym = m.unknown(*args, *kwargs.values(), name=path)
    carriers = [v for v in args if isinstance(v, Sym) and v.pos is not None]
    if carriers and made_sym.shape is None and path.startswith(("torch.", "numpy.")):
        made_sym.mark |= carriers[0].mark & Mark.TOKENS
    return made_sym


def escapes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Say whether a call is handed both a model and validation tokens, so that it could learn from them."""
    values = [*args, *kwargs.values()]
    tokens = any(isinstance(v, Sym) and v.mark & Mark.TOKENS and not v.mark & Mark.TRAIN for v in values)
    return tokens and any(is_module(v) or (isinstance(v, Sym) and v.mark & Mark.PARAM) for v in values)


def _is_layer(path: str) -> bool:
    tail = path.rsplit(".", 1)[-1]
    return path.startswith(_MODULE_HOMES) and path.count(".") <= 4 and tail[:1].isupper()


def _collective(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One rank: collectives leave data as it is; initialisers overwrite a parameter."""
    if path.endswith(("all_gather", "all_gather_object")) and len(args) > 1 and isinstance(args[0], list):
        args[0][:] = [args[1] for _ in args[0]] or [args[1]]
        return None
    if path.endswith(("all_gather_into_tensor", "reduce_scatter_tensor")) and len(args) > 1:
        if isinstance(args[0], Sym):
            args[0].node = m.merge(args[0], args[1])
        return Sym(name="work")
    if path.startswith("torch.nn.init."):
        initialised = args[0] if args else kwargs.get("tensor")
        if isinstance(initialised, Sym) and initialised.mark & Mark.PARAM and path.endswith("_"):
            reset(m, initialised)
            initialised.mark |= Mark.ZEROED if path.endswith("zeros_") else Mark.NONE
        return initialised
    if path.endswith(("ReduceOp", "group")) or ".ReduceOp." in path:
        return External(path)
    return Sym(name=path)
