"""Finds how a loaded script builds its model, builds it, and runs one forward pass: everything by its own code.

Runs inside the sandbox. What cannot be found is reported as unavailable, never as a defect of the script. The `except
Exception` clauses stand around the script's own code, which may raise anything: no narrower type would do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

_TOKENS = 64
_LOGIT_METHODS = ("forward_logits", "get_logits", "logits")
"""Used where the loss itself is a GPU kernel."""
_DEPTH = 6
_SETTING_NAMES = ("args", "h", "hp", "hparams", "cfg", "config", "hyperparameters", "hyperparams", "params", "opt", "a")
_RUN_NAMES: dict[str, Any] = {"rank": 0, "local_rank": 0, "world_size": 1, "ddp_world_size": 1, "master_process": True}
_MODEL_NAMES = ("gpt", "model", "transformer", "lm", "net")


class Unavailable(Exception):
    """The model or its loss cannot be had here; the text says why."""


class Builder:
    """Evaluates the script's own constructor call in the namespace of the loaded module."""

    def __init__(self, module: Any, tree: ast.Module, settings_class: str | None) -> None:
        self.space: dict[str, Any] = module.__dict__
        self.tree = tree
        self.settings_class = settings_class

    def build(self, device: str) -> Any:
        """Return the model built on `device` ("meta" or "cpu"). Raise Unavailable with the last reason."""
        import torch

        reason = ""
        for call, function in self._candidates():
            try:
                with torch.device(device):
                    model = self._evaluate(call, function, 0)
            except Exception as error:
                reason = reason or f"{type(error).__name__}: {error}"
                continue
            if isinstance(model, torch.nn.Module) and any(True for _ in model.parameters()):
                return model
        raise Unavailable(reason or "no class derived from torch.nn.Module is built in the script")

    def _candidates(self) -> list[tuple[ast.Call, ast.AST | None]]:
        """Return constructor calls of module classes outside such classes, the likeliest first."""
        import torch

        classes = {
            name
            for name, value in self.space.items()
            if isinstance(value, type)
            and issubclass(value, torch.nn.Module)
            and value.__module__ == self.space["__name__"]
        }
        inner: set[str] = set()
        found: list[tuple[ast.Call, ast.AST | None]] = []
        for node, owner, within in _walk(self.tree, None, None):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes:
                if within in classes and within != node.func.id:
                    inner.add(node.func.id)
                elif within not in classes:
                    found.append((node, owner))

        def rank(item: tuple[ast.Call, ast.AST | None]) -> tuple[bool, bool, int]:
            name = getattr(item[0].func, "id", "")
            size = len(item[0].args) + len(item[0].keywords)
            return name in inner, not any(part in name.lower() for part in _MODEL_NAMES), -size

        return sorted(found, key=rank)[:6]

    def _evaluate(self, node: ast.expr, function: ast.AST | None, depth: int) -> Any:
        """Evaluate an expression of the script with the function's locals worked out as far as needed."""
        if depth > _DEPTH:
            raise Unavailable("its arguments depend on too long a chain of variables")
        bound: dict[str, Any] = {}
        for name in sorted({item.id for item in ast.walk(node) if isinstance(item, ast.Name)}):
            if name not in self._comprehension_names(node):
                self._bind(name, function, node, bound, depth)
        code = compile(ast.Expression(node), "<constructor>", "eval", dont_inherit=True)
        return eval(code, {**self.space, **bound})

    def _comprehension_names(self, node: ast.expr) -> set[str]:
        return {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)}

    def _bind(self, name: str, function: ast.AST | None, node: ast.expr, bound: dict[str, Any], depth: int) -> None:
        parameters, assigned = _locals(function, name, node.lineno)
        if name in _SETTING_NAMES and (parameters or assigned is not None or name not in self.space):
            settings = self._settings(assigned, function, depth)
            if settings is not None:
                bound[name] = settings
                return
        if name == "device" and (parameters or assigned is not None):
            bound[name] = _current_device()
        elif assigned is not None:
            bound[name] = self._evaluate(assigned, function, depth + 1)
        elif name in self.space:
            return
        elif name in _RUN_NAMES:
            bound[name] = _RUN_NAMES[name]
        elif parameters:
            default = _default(function, name)
            if default is not None:
                bound[name] = self._evaluate(default, None, depth + 1)

    def _settings(self, assigned: ast.expr | None, function: ast.AST | None, depth: int) -> Any:
        """Return what the script assigns, or else an instance of the class that holds the hyper-parameters."""
        if assigned is not None:
            try:
                return self._evaluate(assigned, function, depth + 1)
            except (Exception, SystemExit):
                pass  # then the class that holds the settings
        value = self.space.get(self.settings_class or "")
        return value() if isinstance(value, type) else None

    def vocabulary(self) -> int:
        """Return the vocabulary that the settings hold at run time. Raise Unavailable where they hold none."""
        value = getattr(self._settings(None, None, 0), "vocab_size", None)
        if not isinstance(value, int) or value < 1:
            raise Unavailable("the size of the vocabulary is unknown")
        return value


def _current_device() -> Any:
    import torch

    return torch.empty(0).device


def _walk(
    node: ast.AST, owner: ast.AST | None, within: str | None
) -> Iterator[tuple[ast.AST, ast.AST | None, str | None]]:
    """Yield (node, innermost function, innermost class) for everything below `node`."""
    for child in ast.iter_child_nodes(node):
        yield child, owner, within
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _walk(child, child, within)
        elif isinstance(child, ast.ClassDef):
            yield from _walk(child, owner, child.name)
        else:
            yield from _walk(child, owner, within)


def _locals(function: ast.AST | None, name: str, line: int) -> tuple[bool, ast.expr | None]:
    """Return (is a parameter of the function, the last value assigned to it above `line`)."""
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False, None
    arguments = function.args
    names = {item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    value: ast.expr | None = None
    for node in ast.walk(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.lineno < line:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                value = _assigned(target, node.value, name) or value
    return name in names, value


def _assigned(target: ast.expr, value: ast.expr | None, name: str) -> ast.expr | None:
    """Return the expression that an assignment to `target` gives `name`, an element of `value` for tuples."""
    if isinstance(target, ast.Name):
        return value if target.id == name else None
    if isinstance(target, ast.Tuple) and value is not None:
        for index, item in enumerate(target.elts):
            if isinstance(item, ast.Name) and item.id == name:
                element = ast.Subscript(value, ast.Constant(index), ast.Load())
                return ast.fix_missing_locations(ast.copy_location(element, value))
    return None


def _default(function: ast.AST | None, name: str) -> ast.expr | None:
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    arguments = [*function.args.posonlyargs, *function.args.args]
    defaults = function.args.defaults
    pairs = list(zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True))
    pairs += [(a, d) for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d is not None]
    return next((value for argument, value in pairs if argument.arg == name), None)


def count_parameters(model: Any) -> int:
    """Return the number of parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


def forward(model: Any, vocab: int) -> float:
    """Run one pass over `_TOKENS` random tokens and return the mean loss in nats. Raise Unavailable with the reason."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(0)
    tokens_BT = torch.randint(0, vocab, (1, _TOKENS + 1))
    inputs_BT, targets_BT = tokens_BT[:, :-1].contiguous(), tokens_BT[:, 1:].contiguous()
    model.float().eval()
    reason = ""
    for arguments in ((inputs_BT, targets_BT), (inputs_BT,), (inputs_BT[0], targets_BT[0])):
        try:
            with torch.no_grad():
                output = model(*arguments)
        except Exception as error:
            reason = reason or f"{type(error).__name__}: {error}"
            continue
        loss = _loss(output, targets_BT, vocab, cross_entropy)
        if loss is not None:
            return loss
        reason = reason or "its output is neither a loss nor logits"
    for name in _LOGIT_METHODS:
        try:
            with torch.no_grad():
                loss = _loss(getattr(model, name)(inputs_BT), targets_BT, vocab, cross_entropy)
        except Exception:
            continue
        if loss is not None:
            return loss
    raise Unavailable(reason)


def _loss(output: Any, targets_BT: Any, vocab: int, cross_entropy: Any) -> float | None:
    """Return the mean loss that an output amounts to: a scalar, per-token losses, or logits over the vocabulary."""
    import torch

    values = [output.get("loss"), output.get("logits")] if isinstance(output, dict) else [output]
    values = list(output) if isinstance(output, (tuple, list)) else values
    tensors = [value for value in values if isinstance(value, torch.Tensor) and value.is_floating_point()]
    for tensor in tensors:
        if tensor.numel() in (1, _TOKENS):
            return float(tensor.float().mean())
    for tensor in tensors:
        if tensor.shape[-1] >= vocab and tensor.numel() == _TOKENS * tensor.shape[-1]:
            logits = tensor.float().reshape(_TOKENS, -1)
            return float(cross_entropy(logits, targets_BT.reshape(-1)))
    return None
