"""Stand-ins for packages that need a GPU or are not installed, and for the collectives of one rank.

Attention kernels are computed with torch's own attention; everything else absent imports, and does nothing.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import os
import sys
import types
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from auditor.prover.child import kernels
from auditor.prover.child.fakecuda import Nothing, identity_decorator


def attention(q: Any, k: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
    """Compute `flash_attn_func` on [batch, time, heads, width] with torch, window and grouped heads included."""
    causal, scale, window = attention_options(args, kwargs)
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    if k.size(1) != q.size(1):
        k, v = (t.repeat_interleave(q.size(1) // t.size(1), 1) for t in (k, v))
    left, right = (-1 if side is None else side for side in window)
    right = 0 if causal else right
    plain = causal and left < 0 and q.size(2) == k.size(2)
    mask = None
    if not plain and max(left, right) >= 0:  # the last query stands beside the last key
        ahead = torch.arange(k.size(2)).view(1, -1) - torch.arange(q.size(2)).view(-1, 1) - (k.size(2) - q.size(2))
        mask = (ahead <= (right if right >= 0 else k.size(2))) & (ahead >= (-left if left >= 0 else -k.size(2)))
    dtype = torch.promote_types(q.dtype, torch.promote_types(k.dtype, v.dtype))
    q, k, v = (t.to(dtype) for t in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, mask, is_causal=plain, scale=scale)
    return out.transpose(1, 2).contiguous()


def attention_options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool, float | None, Any]:
    """Return (causal, scale, window) of a call.

    Without their names they are told by kind, as versions differ in how many come first: a truth value, the number
    before it, a pair.
    """
    truths = [number for number, value in enumerate(args) if isinstance(value, bool)]
    scale = args[truths[0] - 1] if truths and truths[0] > 0 else None
    window = next((value for value in args if isinstance(value, tuple | list)), (-1, -1))
    causal = bool(kwargs.get("causal", args[truths[0]] if truths else False))
    return causal, kwargs.get("softmax_scale", scale), kwargs.get("window_size") or window


def attention_varlen(q: Any, k: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
    """Compute `flash_attn_varlen_func` on packed [total, heads, width] sequence by sequence."""
    starts = kwargs["cu_seqlens_q"] if "cu_seqlens_q" in kwargs else args[0]
    bounds = [int(b) for b in starts]
    extra = {key: kwargs[key] for key in ("causal", "softmax_scale", "window_size") if key in kwargs}
    rest = [value for value in args if value is None or isinstance(value, bool | float | tuple | list)]
    out = torch.zeros_like(q) + 0.0 * q
    parts = []
    end = 0
    for a, b in itertools.pairwise(bounds):
        if b > a:
            parts.append(attention(q[None, a:b], k[None, a:b], v[None, a:b], *rest, **extra)[0])
            end = b
    return torch.cat([*parts, out[end:]]) if parts else out


class Stub(types.ModuleType):
    """A module that has every attribute."""

    seen: ClassVar[set[str]] = set()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in ATTENTION:
            return ATTENTION[name]
        if name in ("Mamba", "Mamba2", "Mamba2Simple", "Mamba3"):
            return Mixer
        if name == "get_kernel":
            return lambda *a, **k: Stub("kernel")
        if self.__name__.split(".")[0] == "triton":
            found = TRITON.get(name) if name in TRITON else kernels.language(name)
            return Nothing() if found is None else found
        if self.__name__.split(".")[0] in ("numba", "torch_xla"):
            return range if name == "prange" else identity_decorator
        if self.__name__.split(".")[0] == "tqdm":
            return lambda values=(), *a, **k: values
        return StubClass


class StubClass(Nothing):
    """Whatever a stubbed package offers: may be called, subclassed or used as a decorator."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], types.FunctionType):
            return args[0]
        return super().__new__(cls)


class Mixer(torch.nn.Module):  # type: ignore[misc]
    """A causal stand-in for a state-space layer: a short convolution over the past, gated. Sees no future."""

    def __init__(self, d_model: int, *args: Any, d_conv: int = 4, **kwargs: Any) -> None:
        super().__init__()
        self.width = d_conv
        self.in_proj = torch.nn.Linear(d_model, 2 * d_model, bias=False)
        self.conv1d = torch.nn.Conv1d(d_model, d_model, d_conv, groups=d_model)
        self.out_proj = torch.nn.Linear(d_model, d_model, bias=False)

    def forward(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        mixed, gate = self.in_proj(x).chunk(2, dim=-1)
        past = F.pad(mixed.transpose(1, 2), (self.width - 1, 0))
        return self.out_proj(self.conv1d(past).transpose(1, 2) * F.silu(gate))


ATTENTION: dict[str, Any] = {
    "flash_attn_func": attention,
    "flash_attn_varlen_func": attention_varlen,
    "flash_attn_3_func": attention,
    "flash_attn_qkvpacked_func": lambda qkv, *a, **k: attention(*qkv.unbind(2), *a, **k),
}
TRITON: dict[str, Any] = {
    "jit": kernels.jit,
    "autotune": kernels.autotune,
    "Config": kernels.Config,
    "heuristics": lambda *a, **k: lambda function: function,
    "next_power_of_2": lambda n: 1 << max(int(n) - 1, 0).bit_length(),
    "__version__": "3.0.0",
}


def asked_by_torch() -> bool:
    """Say whether an import comes from torch, which probes for optional packages and would believe a stand-in."""
    frame = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and f"{os.sep}torch{os.sep}" in frame.f_code.co_filename


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last on the path: answers for what nobody else has."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname.split(".")[0] not in self.names or asked_by_torch():
            return None
        Stub.seen.add(fullname.split(".")[0])
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> Any:
        stub = Stub(spec.name)
        stub.__path__ = []
        vars(stub)["__version__"] = "3.0.0"
        return stub

    def exec_module(self, module: Any) -> None:
        return None


def install(names: list[str]) -> None:
    """Answer imports of those of `names` that this machine lacks with stubs; make the collectives those of one rank."""
    absent = {name for name in names if name not in sys.modules and importlib.util.find_spec(name) is None}
    sys.meta_path.append(StubFinder(absent | {"triton"}))
    patch_collectives()
    wrapper = type("DistributedDataParallel", (Wrapped,), {})
    torch.nn.parallel.DistributedDataParallel = wrapper
    torch.nn.parallel.distributed.DistributedDataParallel = wrapper


BaseModule: Any = torch.nn.Module


class Wrapped(BaseModule):  # type: ignore[misc]
    """A module wrapped for one rank."""

    def __init__(self, module: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.module = module
        self.require_backward_grad_sync = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def no_sync(self) -> Any:
        return Nothing()

    def register_comm_hook(self, *args: Any) -> None:
        return None


def patch_collectives() -> None:
    dist = torch.distributed
    state = {"on": False}

    def initialise(*args: Any, **kwargs: Any) -> None:
        state["on"] = True

    def copy_first(out: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(out, list):
            if isinstance(out[0], torch.Tensor):
                out[0].copy_(value)
            else:
                out[0] = value
        else:
            out.view(-1).copy_((value[0] if isinstance(value, list) else value).reshape(-1))
        return Nothing()

    quiet = lambda *a, **k: Nothing()  # noqa: E731
    table: dict[str, Any] = {
        "init_process_group": initialise,
        "destroy_process_group": initialise,
        "is_initialized": lambda: state["on"],
        "is_available": lambda: True,
        "get_rank": lambda *a: 0,
        "get_world_size": lambda *a: 1,
        "new_group": lambda *a, **k: None,
        "scatter_object_list": lambda out, values, *a, **k: out.__setitem__(0, values[0]),
    }
    for name in ("all_reduce", "barrier", "broadcast", "reduce", "broadcast_object_list", "monitored_barrier", "send"):
        table[name] = quiet
    for name in ("all_gather", "all_gather_into_tensor", "reduce_scatter_tensor", "reduce_scatter"):
        table[name] = copy_first
    table["all_gather_object"] = copy_first
    table["gather"] = lambda value, gather_list=None, *a, **k: copy_first(gather_list, value) if gather_list else None
    table["gather_object"] = lambda value, out=None, *a, **k: copy_first(out, value) if out else None
    for name, function in table.items():
        setattr(dist, name, function)
