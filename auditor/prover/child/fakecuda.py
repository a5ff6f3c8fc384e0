"""CUDA in name, CPU in fact: replace what of torch a training script touches, so that it runs on one CPU core.

Half-precision names become float32, which removes rounding noise and nearly every dtype mismatch of the CPU kernels.
Must be installed before the script is compiled and after everything of torch that caches dtypes is imported.
"""

from __future__ import annotations

import contextlib
import io
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

FACTORIES = [
    "zeros",
    "ones",
    "empty",
    "full",
    "arange",
    "tensor",
    "as_tensor",
    "randn",
    "rand",
    "randint",
    "randperm",
    "eye",
    "linspace",
    "logspace",
    "zeros_like",
    "ones_like",
    "empty_like",
    "full_like",
    "rand_like",
    "randn_like",
    "randint_like",
    "empty_strided",
    "scalar_tensor",
    "tril_indices",
    "triu_indices",
    "hann_window",
    "bernoulli",
    "multinomial",
    "asarray",
]
REAL_DEVICE = torch.device
REAL_TO = torch.Tensor.to
CPU = torch.device("cpu")


def real_device(value: Any) -> Any:
    """Map every device that a script may name to the CPU; "meta" stays."""
    if isinstance(value, REAL_DEVICE):
        return value
    return REAL_DEVICE("meta") if isinstance(value, str) and value == "meta" else CPU


class DeviceType(type):
    """Make `torch.device(...)` give the CPU while `isinstance(x, torch.device)` keeps working."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return real_device(args[0] if args else kwargs.get("type", "cuda"))

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, REAL_DEVICE)


class Device(metaclass=DeviceType):
    """Stands for `torch.device`."""


class Nothing:
    """An object whose every attribute, call, item and context does nothing: streams, events, handles, profilers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and callable(args[0]):
            return args[0]
        return Nothing()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def __getitem__(self, key: Any) -> Any:
        return Nothing()

    def __iter__(self) -> Any:
        return iter(())

    def __bool__(self) -> bool:
        return False


class Event(Nothing):
    """A CUDA event; every interval lasts one millisecond."""

    def elapsed_time(self, other: Any) -> float:
        return 1.0

    def query(self) -> bool:
        return True


class Scaler(Nothing):
    """A gradient scaler that scales by one."""

    def scale(self, loss: Any) -> Any:
        return loss

    def step(self, optimizer: Any, *args: Any) -> Any:
        return optimizer.step()

    def is_enabled(self) -> None:
        return None


class Autocast(contextlib.ContextDecorator):
    """Autocast that casts nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> Autocast:
        return self

    def __exit__(self, *exc: Any) -> None:
        return None


def identity_decorator(*args: Any, **kwargs: Any) -> Any:
    """Stand for `torch.compile` and the like, used bare or with options."""
    if args and (callable(args[0]) or isinstance(args[0], torch.nn.Module)):
        return args[0]
    return lambda function: function


def without_device(function: Callable[..., Any], zero: bool = False) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if "device" in kwargs:
            kwargs["device"] = real_device(kwargs["device"]) if kwargs["device"] is not None else None
        kwargs.pop("pin_memory", None)
        out = function(*args, **kwargs)
        return out.zero_() if zero and isinstance(out, torch.Tensor) and out.device.type == "cpu" else out

    return call


def tensor_to(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """Move, or convert. What goes to the CPU by name is a copy, as it is on a GPU: a snapshot of weights stays one."""
    kwargs.pop("non_blocking", None)
    away = "cpu" in [word for word in (*args[:1], kwargs.get("device")) if isinstance(word, str)]
    if "device" in kwargs:
        kwargs["device"] = real_device(kwargs["device"])
    if args and (isinstance(args[0], str | int) and not isinstance(args[0], bool)):
        args = (real_device(args[0]), *args[1:])
    if len(args) > 2:
        args = args[:2]
    moved = REAL_TO(self, *args, **kwargs)
    return moved.clone() if away and moved is self else moved


def install(real_halves: bool) -> None:
    """Patch torch in place. `real_halves` keeps bfloat16 and float16 (for scripts that use their bit patterns)."""
    warm_dtype_caches()
    patch_devices()
    patch_cuda()
    patch_compile()
    if not real_halves:
        alias_halves()


def warm_dtype_caches() -> None:
    """Save and load one tensor per dtype: torch maps storage types to dtypes once, and the aliases would break that."""
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int8, torch.uint8, torch.int64):
        buffer = io.BytesIO()
        torch.save(torch.zeros(1, dtype=dtype), buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=False)


def alias_halves() -> None:
    torch.bfloat16 = torch.float16 = torch.half = torch.float32
    torch.Tensor.bfloat16 = torch.Tensor.half = torch.Tensor.float
    torch.nn.Module.bfloat16 = torch.nn.Module.half = torch.nn.Module.float
    torch.get_autocast_gpu_dtype = lambda: torch.float32
    torch.get_autocast_dtype = lambda *a: torch.float32


def patch_devices() -> None:
    for name in FACTORIES:
        if hasattr(torch, name):
            setattr(torch, name, without_device(getattr(torch, name), name.startswith("empty")))
    tensor, module = torch.Tensor, torch.nn.Module
    tensor.to = tensor_to
    tensor.cuda = lambda self, *a, **k: self
    tensor.cpu = lambda self, *a, **k: self.clone()
    tensor.pin_memory = lambda self, *a, **k: self
    tensor.record_stream = lambda self, *a: None
    tensor.is_cuda = property(lambda self: True)
    for name in ("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"):
        setattr(tensor, name, without_device(getattr(tensor, name), name == "new_empty"))
    module.cuda = lambda self, *a, **k: self
    real_module_to = module.to

    def module_to(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("non_blocking", None)
        kwargs = {k: real_device(v) if k == "device" else v for k, v in kwargs.items()}
        args = tuple(real_device(a) if isinstance(a, str | int) and not isinstance(a, bool) else a for a in args)
        return real_module_to(self, *args, **kwargs)

    module.to = module_to
    patch_loading()
    torch.device = Device


def patch_loading() -> None:
    real_load, real_generator = torch.load, torch.Generator

    def load(*args: Any, **kwargs: Any) -> Any:
        kwargs["map_location"] = CPU
        kwargs.setdefault("weights_only", False)
        return real_load(*args[:1], **kwargs)

    torch.load = load
    kind = type("GeneratorType", (type,), {"__call__": lambda cls, *a, **k: real_generator()})
    torch.Generator = kind("Generator", (), {})
    torch.set_default_device = lambda *a: None
    torch.inference_mode = inference_mode


def inference_mode(mode: Any = True) -> Any:
    """Stand for `torch.inference_mode`, used bare or with a truth value, by gradients switched off or on."""
    if callable(mode):
        return torch.no_grad()(mode)
    return torch.no_grad() if mode else torch.enable_grad()


def patch_cuda() -> None:
    cuda = torch.cuda
    properties = types.SimpleNamespace(
        name="NVIDIA H100 80GB HBM3",
        total_memory=80 << 30,
        multi_processor_count=132,
        major=9,
        minor=0,
        max_threads_per_multi_processor=2048,
        warp_size=32,
    )
    answers: dict[str, Any] = {
        "is_available": True, "device_count": 1, "current_device": 0, "is_initialized": True,
        "is_bf16_supported": True, "get_device_name": properties.name, "get_device_capability": (9, 0),
        "get_device_properties": properties, "mem_get_info": (70 << 30, 80 << 30), "memory_allocated": 0,
        "max_memory_allocated": 0, "memory_reserved": 0, "max_memory_reserved": 0, "memory_stats": {},
        "synchronize": None, "set_device": None, "empty_cache": None, "reset_peak_memory_stats": None, "init": None,
        "ipc_collect": None, "reset_max_memory_allocated": None, "memory_summary": "",
        "is_current_stream_capturing": False,
        "set_per_process_memory_fraction": None, "current_stream": Nothing(), "default_stream": Nothing(),
        "set_stream": None, "manual_seed": None, "manual_seed_all": None, "seed": None, "seed_all": None,
    }  # fmt: skip
    for name, answer in answers.items():
        setattr(cuda, name, lambda *a, answer=answer, **k: answer)
    cuda.get_rng_state = lambda *a, **k: torch.get_rng_state()
    cuda.set_rng_state = lambda state, *a, **k: torch.set_rng_state(state)
    cuda.Event, cuda.Stream, cuda.CUDAGraph = Event, Nothing, Nothing
    cuda.stream = cuda.graph = cuda.device = lambda *a, **k: contextlib.nullcontext()
    cuda.nvtx = Nothing()
    for namespace in (cuda.amp, torch.amp):
        namespace.autocast, namespace.GradScaler = Autocast, Scaler
    torch.autocast = Autocast
    torch.is_autocast_enabled = lambda *a: False
    for name in dir(torch.backends.cuda):
        if name.startswith("enable_"):
            setattr(torch.backends.cuda, name, lambda *a, **k: None)
    torch.set_float32_matmul_precision = lambda *a: None


def patch_compile() -> None:
    if "torch._dynamo" in sys.modules:
        sys.modules["torch._dynamo"].reset = lambda: None  # type: ignore[attr-defined]
    torch.compile = identity_decorator
    torch.compiler.disable = torch.compiler.allow_in_graph = identity_decorator
    torch.compiler.cudagraph_mark_step_begin = lambda: None
    torch.jit.script = identity_decorator
    torch.set_num_threads = torch.set_num_interop_threads = lambda *a: None
    torch.use_deterministic_algorithms = lambda *a, **k: None
    for name in ("Adam", "AdamW", "SGD"):
        drop_fused(getattr(torch.optim, name))
    real_op = torch.library.custom_op

    def custom_op(name: str, fn: Any = None, /, **kwargs: Any) -> Any:
        kwargs.pop("device_types", None)
        return real_op(name, fn, **kwargs) if fn is not None else real_op(name, **kwargs)

    torch.library.custom_op = custom_op


def drop_fused(optimizer: Any) -> None:
    real_init = optimizer.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("fused", None)
        kwargs.pop("capturable", None)
        real_init(self, *args, **kwargs)

    optimizer.__init__ = init
