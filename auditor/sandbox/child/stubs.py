"""Stand-ins for packages that need a GPU, so that a script's own code can be loaded and run on a CPU.

Installed packages always win, and no name that lies beside the script is replaced. torch and other installed packages
never see a stand-in: they probe for triton and its like and would believe it to be real.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from auditor.sandbox.child import attention

NAMES = frozenset(
    (
        "flash_attn_interface",
        "flash_attn",
        "flash_attn_3",
        "flash_attn_2_cuda",
        "flash_attn_3_cuda",
        "hopper",
        "triton",
        "fla",
        "mamba_ssm",
        "causal_conv1d",
        "liger_kernel",
        "cut_cross_entropy",
        "kernels",
        "gram_newton_schulz",
        "mlx",
        "transformer_engine",
        "apex",
        "xformers",
        "deepspeed",
        "bitsandbytes",
        "cutlass",
        "cutlass_evt_fusion",
        "cuda",
        "cupy",
        "tilelang",
        "quack",
        "natten",
        "torchao",
        "sageattention",
        "flashinfer",
        "pynvml",
        "nvidia_smi",
        "wandb",
        "tqdm",
        "huggingface_hub",
        "datasets",
        "tiktoken",
        "tensorboard",
        "hyper_connections",
        "tokenizers",
        "transformers",
        "peft",
        "einops",
        "sklearn",
        "scipy",
        "constriction",
        "matplotlib",
        "pandas",
    )
)
"""Packages that real scripts import and that are not part of pgolf[torch]: GPU kernels, reporting, downloads, tools of
data preparation. Loading a script needs their names only; every one that was replaced is named in the result."""


class Stub:
    """A value that goes along with what import-time code does with one: called, decorated with, subclassed, entered."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if len(arguments) == 1 and not named and isinstance(arguments[0], (types.FunctionType, type)):
            return arguments[0]
        return Stub(f"{self.__name__}()")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Stub(f"{self.__name__}.{name}")

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *details: Any) -> None:
        return None

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (object,)

    def __or__(self, other: Any) -> Any:
        return Any

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"<stub {self.__name__}>"


class Kernel:
    """What `triton.jit` makes of a function: `kernel[grid](...)` does nothing."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.fn = function
        self.__name__ = getattr(function, "__name__", "kernel")

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return lambda *arguments, **named: None

    def __call__(self, *arguments: Any, **named: Any) -> None:
        return None


class StubModule(types.ModuleType):
    """A module whose every public attribute exists."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        value = _known(self.__name__, name) or Stub(f"{self.__name__}.{name}")
        self.__dict__[name] = value
        return value


def _known(module: str, name: str) -> Any:
    """Return the working replacement of a function that matters for a forward pass, or None."""
    top = module.partition(".")[0]
    if "flash_attn" in name and ("varlen" in name):
        return attention.varlen
    if name in ("flash_attn_func", "flash_attn_3_func", "flash_attn_2_func"):
        return attention.dense
    if top == "kernels" and name == "get_kernel":
        return lambda *arguments, **named: StubModule(f"kernels.{arguments[0] if arguments else 'kernel'}")
    if top == "triton":
        return _TRITON.get(name)
    return None


def _jit(function: Any = None, **options: Any) -> Any:
    return Kernel(function) if function is not None else Kernel


_TRITON: dict[str, Any] = {
    "jit": _jit,
    "autotune": lambda *arguments, **named: lambda function: function,
    "heuristics": lambda *arguments, **named: lambda function: function,
    "cdiv": lambda left, right: -(-left // right),
    "next_power_of_2": lambda value: 1 << max(0, int(value) - 1).bit_length(),
}


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers for stubbed names when nothing else did; `used` lists the packages it made."""

    def __init__(self, names: frozenset[str], packages: Sequence[str]) -> None:
        self.names, self.packages = names, tuple(packages)
        self.used: list[str] = []

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for a stubbed name unless an installed package asks."""
        if fullname.partition(".")[0] not in self.names or self._asked_by_package():
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Return an empty stand-in."""
        top = spec.name.partition(".")[0]
        if top not in self.used:
            self.used.append(top)
        module = StubModule(spec.name)
        module.__dict__["__version__"] = "0.0.0"
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: the module is made of what is asked of it."""

    def _asked_by_package(self) -> bool:
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if not name.startswith("<frozen") and name != __file__ and "/importlib/" not in name:
                return name.startswith(self.packages)
            frame = frame.f_back
        return False


def install(beside: Sequence[str], packages: Sequence[str]) -> StubFinder:
    """Install the stand-ins behind every real finder; `beside` are module names next to the script.

    `packages` are the site-packages directories, whose modules never see a stand-in.
    """
    finder = StubFinder(NAMES - set(beside), packages)
    sys.meta_path.append(finder)
    real = builtins.__import__

    def guarded(
        name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> types.ModuleType:
        if level == 0 and name.partition(".")[0] in finder.used and globals is not None:
            asking = globals.get("__file__") or ""
            if isinstance(asking, str) and asking.startswith(finder.packages):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, globals, locals, fromlist, level)

    builtins.__import__ = guarded
    return finder
