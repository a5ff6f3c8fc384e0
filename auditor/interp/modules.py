"""Neural modules: constructors are interpreted, forward passes of language models are one FORWARD event.

A forward pass depends on the current node of every parameter that can be reached from the module. What happens inside
(attention, norms) is not interpreted: it is where the time would go, and no ruling depends on it.
"""

from __future__ import annotations

import ast
from typing import Any, TypeGuard

from auditor.frontend.walk import nodes, nodes_of
from auditor.interp.doubt import doubted
from auditor.interp.given import given
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.losses import is_target_of, make_loss
from auditor.interp.machine import Machine
from auditor.interp.operators import value_region
from auditor.interp.places import MADE_WITH
from auditor.interp.region import Region
from auditor.interp.values import ATOMS, MISSING, Bound, Class, Function, Instance, Mark, Sym

NETWORK_PARAMETERS = 4
"""Parameter tensors from which on a module counts as a network (and not as, say, a mixer of two experts)."""
VOCABULARY = 1024
"""Size of the stand-in's last axis of logits; only shapes use it."""


def is_module(value: Any) -> bool:
    """Say whether a value is an nn.Module."""
    if not isinstance(value, Instance):
        return False
    if value.library.startswith(("torch.nn.", "nn.")):
        return True
    cls = value.cls
    if cls is None:
        return False
    if cls.neural is None:
        cls.neural = any(_module_base(base) for base in cls.external_bases())
    return cls.neural


def _module_base(path: str) -> bool:
    return path.endswith((".Module", ".ModuleList", ".ModuleDict", ".Sequential", ".Linear", ".Embedding"))


def library_module(m: Machine, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Instance:
    """Create a library layer: one parameter, and its items where it is a container."""
    made = Instance(None, "torch.nn." + path.rsplit(".", 1)[-1])
    if path.endswith(("ModuleList", "Sequential", "ParameterList")):
        from auditor.interp.iterate import elements

        items: list[Any] = []
        for argument in args:
            if isinstance(argument, Instance):
                items.append(argument)
                continue
            count, item = elements(m, argument)
            items.extend(item(i) for i in range(min(count, 16)))
        for owned in items:
            if isinstance(owned, Sym):
                owned.mark |= Mark.OWNED
        made.attrs["items"] = items
    elif path.endswith(("ModuleDict", "ParameterDict")):
        made.attrs["items"] = dict(args[0]) if args and isinstance(args[0], dict) else {}
    else:
        made.attrs["weight"] = parameter(m, path)
        made.attrs["weight"].mark |= Mark.OWNED
        made.attrs[MADE_WITH] = (args, kwargs)
    return made


def parameter(m: Machine, text: str = "", source: Any = None) -> Sym:
    """Create a parameter with its own history, starting from `source`."""
    node = m.node(Kind.PARAM, [m.merge(source)], text=text)
    if not isinstance(source, Sym):
        return Sym(node, mark=Mark.PARAM)
    zeroed = Mark.ZEROED if source.name in ("torch.zeros", "torch.zeros_like") else Mark.NONE
    return Sym(node, shape=source.shape, mark=Mark.PARAM | zeroed)


def module_attribute(m: Machine, receiver: Instance, name: str) -> Any:
    """Return an attribute that the interpreter did not see being set: the module's parameters, or a modelled method."""
    if name in MODULE_METHODS:
        return Bound(receiver, name)
    if name == "module":
        return receiver
    if name in ("training",):
        return Sym(name=name)
    found = reachable(receiver)
    if not found:
        return Bound(receiver, name) if receiver.library else Sym(name=name)
    if name in ("weight", "bias"):
        return found[0]
    return Bound(receiver, name)


MODULE_METHODS = frozenset(
    [
        "parameters",
        "named_parameters",
        "buffers",
        "named_buffers",
        "modules",
        "named_modules",
        "children",
        "named_children",
        "state_dict",
        "load_state_dict",
        "eval",
        "train",
        "to",
        "cuda",
        "cpu",
        "float",
        "half",
        "bfloat16",
        "double",
        "zero_grad",
        "requires_grad_",
        "apply",
        "register_buffer",
        "register_parameter",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "compile",
        "add_module",
        "append",
        "extend",
        "forward",
    ]
)


def reachable(value: Any, *, buffers: bool = False, enough: int | None = None) -> list[Sym]:
    """Return every parameter (with `buffers`, every tensor) that hangs below a value, each once, in a stable order.

    The search ends with `enough` of them.
    """
    found: dict[int, Sym] = {}
    seen: set[int] = set()
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if type(item) in ATOMS or id(item) in seen:
            continue
        seen.add(id(item))
        if type(item) is Sym:
            if item.mark & Mark.PARAM or (buffers and item.node is not None):
                found[id(item)] = item
                if len(found) == enough:
                    break
        elif isinstance(item, Instance):
            if item.library != "torch.optim.Optimizer":
                stack.extend(reversed(list(item.attrs.values())[:400]))
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())[:400]))
        elif isinstance(item, (list, tuple)):
            stack.extend(reversed(list(item)[:64]))
    return list(found.values())


NUMBER = "scalar"
"""Name of a number that was read out of a tensor: on a module it is a plain attribute."""


def saved_tensors(module: Instance) -> list[Sym]:
    """Return what a module's state dict holds: its tensors, and no numbers that were noted on it."""
    return [s for s in reachable(module, buffers=True) if s.name != NUMBER]


def state_nodes(value: Any) -> list[Node]:
    """Return the current nodes of all tensors below a module, without repeats, and of the numbers that may be read."""
    unread = _unread(value) if isinstance(value, Instance) else ()
    found = (s for s in reachable(value, buffers=True) if not any(s is number for number in unread))
    return list({s.node.index: s.node for s in found if s.node is not None}.values())


def _unread(module: Instance) -> list[Sym]:
    """Return the numbers noted on a module that its program never reads again: they are there to be logged."""
    numbers = {k: v for k, v in module.attrs.items() if type(v) is Sym and v.name == NUMBER}
    if not numbers or module.cls is None:
        return []
    tree = module.cls.module.tree
    read = {node.attr for node in nodes_of(tree, ast.Attribute) if isinstance(node.ctx, ast.Load)}
    read.update(node.value for node in nodes_of(tree, ast.Constant) if isinstance(node.value, str))
    return [number for name, number in numbers.items() if name not in read]


def is_neural(
    m: Machine, receiver: Instance, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bool:
    """Say whether a method call is a network's forward pass: token or hidden inputs, layers below, a result."""
    if m.flows is not None or not is_module(receiver):
        return False
    tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, Sym) and v.mark & _DATA]
    if not tensors or len(reachable(receiver, enough=NETWORK_PARAMETERS)) < NETWORK_PARAMETERS:
        return False
    return function.name != "__init__" and _returns(function)


_DATA = Mark.TOKENS | Mark.HIDDEN | Mark.LOGITS | Mark.TRAIN


def _returns(function: Function) -> bool:
    return isinstance(function.node, ast.Lambda) or any(
        node.value is not None for node in nodes_of(function.node, ast.Return)
    )


def call_module(m: Machine, receiver: Instance, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a module: a network is one FORWARD, a small or tokenless module is interpreted."""
    if m.flows is not None and (made := m.flows.layer(m, receiver, args, kwargs)) is not NotImplemented:
        return made
    forward = receiver.cls.lookup("forward") if receiver.cls is not None else MISSING
    if forward is MISSING and receiver.cls is not None:
        forward = receiver.cls.lookup("__call__")
    if isinstance(forward, Function):
        if is_neural(m, receiver, forward, args, kwargs):
            return neural_call(m, receiver, args, kwargs, forward.name)
        from auditor.interp.calls import call_function

        return call_function(m, forward, (receiver, *args), kwargs, receiver)
    if receiver.library.endswith(("Sequential", "ModuleList")):
        value: Any = args[0] if args else None
        for item in receiver.attrs.get("items", []):
            from auditor.interp.calls import call

            value = call(m, item, (value,), {})
        return value
    if receiver.library.endswith(("CrossEntropyLoss", "NLLLoss")):
        from auditor.interp.losses import cross_entropy

        return cross_entropy(m, args, {"reduction": receiver.attrs.get("reduction", "mean"), **kwargs})
    return neural_call(m, receiver, args, kwargs, receiver.library.rsplit(".", 1)[-1])


def neural_call(m: Machine, receiver: Instance, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Any:
    """Run one forward pass: logits of the inputs, or the loss of the targets where targets were passed."""
    values = [*args, *kwargs.values()]
    tensors = [v for v in values if isinstance(v, Sym)]
    tokens = [v for v in tensors if v.mark & Mark.TOKENS]
    region = Region.union(value_region(v) for v in tokens[:1]) or _somewhere(tokens[:1])
    extra = [v for v in values if isinstance(v, Instance)]
    state = state_nodes(receiver)
    for module in extra:
        state.extend(state_nodes(module))
    state.extend(v.node for v in tensors if v.mark & Mark.PARAM and v.node is not None)
    train = any(v.mark & Mark.TRAIN for v in tensors)
    node = m.node(
        Kind.FORWARD,
        [v.node for v in tensors],
        state=state,
        region=region,
        text=f"{receiver.cls.name if receiver.cls else receiver.library}.{name}",
        train=train,
        model=m.identity(receiver),
    )
    node.info["given"] = given(receiver, name, args, kwargs)
    _run_hooks(m, receiver, args, node)
    mark = Mark.HIDDEN | Mark.LOGITS | (Mark.TRAIN if train else Mark.NONE)
    first = tensors[0] if tensors else None
    shape = (*first.shape, VOCABULARY) if first is not None and first.shape is not None and tokens else None
    if first is not None and not tokens:
        shape = first.shape
    output = Sym(node, shape=shape, mark=mark)
    for target in tokens[1:]:
        if is_target_of(tokens[0], target):
            made = make_loss(m, output, target, _reduction(receiver, name, kwargs), via="forward")
            if made.node is not None:
                made.node.info["beside"] = _loss_among(receiver, name)
            return made
    return output


def _loss_among(receiver: Instance, name: str) -> int | None:
    """Return the place of the loss where a forward pass returns other values beside it, None where it never does."""
    function = receiver.cls.lookup(name) if isinstance(receiver.cls, Class) else MISSING
    if not isinstance(function, Function):
        return None
    several = [r.value.elts for r in nodes_of(function.node, ast.Return) if isinstance(r.value, ast.Tuple)]
    losses = {
        target.id
        for assigned in nodes_of(function.node, ast.Assign)
        if any(_is_loss(node.func) for node in nodes_of(assigned.value, ast.Call))
        for target in assigned.targets
        if isinstance(target, ast.Name)
    }
    places = (i for elts in several for i, e in enumerate(elts) if isinstance(e, ast.Name) and e.id in losses)
    return next(places, 0) if several else None


def _is_loss(callee: ast.expr) -> bool:
    return isinstance(callee, (ast.Attribute, ast.Name)) and ast.unparse(callee).endswith(("cross_entropy", "nll_loss"))


def _somewhere(tokens: list[Sym]) -> Region:
    """Return the stream that tokens of unknown position were taken from, empty for training tokens."""
    return Region.union(
        node.region
        for token in tokens
        if token.pos is None and not token.mark & Mark.TRAIN and token.node is not None
        for node in ancestors(token.node, into_state=False, cap=400)
        if node.kind is Kind.LOAD
    )


def _reduction(receiver: Instance, name: str, kwargs: dict[str, Any]) -> str:
    """Say how a forward pass reduces its loss: none where its body asks cross_entropy for per-token values."""
    asked = kwargs.get("reduction")
    if isinstance(asked, str):
        return asked
    return "none" if isinstance(receiver.cls, Class) and _per_token(receiver.cls, name, DELEGATED) else "mean"


DELEGATED = 3
"""Methods of one network that hand the work on to each other, from the one that is called."""


def _per_token(cls: Class, name: str, depth: int) -> bool:
    """Say whether a method, or one of the same object that it hands the work on to, asks for per-token losses."""
    function = cls.lookup(name)
    if not isinstance(function, Function):
        return False
    asked = [node for node in nodes_of(function.node, ast.keyword) if node.arg == "reduction"]
    if asked or not depth:
        return any(isinstance(part, ast.Constant) and part.value == "none" for k in asked for part in nodes(k.value))
    called = {node.func.attr for node in nodes_of(function.node, ast.Call) if _of_self(node.func)}
    return any(_per_token(cls, other, depth - 1) for other in sorted(called - {name}))


def _of_self(callee: ast.expr) -> TypeGuard[ast.Attribute]:
    return isinstance(callee, ast.Attribute) and isinstance(callee.value, ast.Name) and callee.value.id == "self"


def _run_hooks(m: Machine, receiver: Instance, args: tuple[Any, ...], node: Node) -> None:
    """Call forward hooks that were registered below this module with the activations of this pass."""
    if not m.hooks:
        return
    from auditor.interp.calls import call

    hooks, m.hooks = m.hooks, []
    try:
        for module, hook, doubts in hooks[:4]:
            with doubted(m, doubts):
                activation = Sym(m.node(Kind.OP, [node], text="hook", hooked=True), mark=Mark.HIDDEN)
                call(m, hook, (module, (activation,), activation), {})
    finally:
        m.hooks = hooks
