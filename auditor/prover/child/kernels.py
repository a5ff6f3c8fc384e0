"""Run Triton kernels on the CPU: their Python source, one program of the grid after another, on torch tensors.

A kernel that needs more of the language than stands here does nothing, as all of them would without this, and is
counted as skipped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import torch

MOST_PROGRAMS = 1 << 16
"""Programs of the largest grid that is run: losses of one row each need 1,024 in the miniature."""
LAUNCH_OPTIONS = frozenset({"num_warps", "num_stages", "num_ctas", "maxnreg", "warmup", "enable_fp_fusion"})


class Pending:
    """What programs that run all at once have written: seen by none of them, and put in place when all have ended."""

    def __init__(self) -> None:
        self.flats: list[torch.Tensor] = []
        self.parts: list[torch.Tensor] = []

    def add(self, where: torch.Tensor, *parts: torch.Tensor) -> None:
        self.flats.append(where)
        self.parts += parts

    def read(self, where: torch.Tensor) -> None:
        """Refuse a look at what was written: it would show what was there before."""
        if any(where.data_ptr() == flat.data_ptr() for flat in self.flats):
            raise RuntimeError("a program that reads what it wrote")

    def settle(self, parts: tuple[torch.Tensor, ...]) -> None:
        for number, flat in enumerate(self.flats):
            index, chosen, value = parts[3 * number : 3 * number + 3]
            flat[index[chosen]] = value[chosen]


class Pointer:
    """An address in a tensor's storage, or a block of them."""

    def __init__(self, flat: torch.Tensor, offset: Any) -> None:
        self.flat, self.offset = flat, offset
        self.dtype = type("PointerType", (), {"element_ty": flat.dtype})

    def __add__(self, other: Any) -> Pointer:
        return Pointer(self.flat, self.offset + other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Pointer:
        return Pointer(self.flat, self.offset - other)


def pointer(tensor: torch.Tensor) -> Pointer:
    """Return the address of a tensor's first element."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    return Pointer(tensor.detach().as_strided((size,), (1,), 0), tensor.storage_offset())


def tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)


def place(where: Pointer, mask: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (index, mask) of the same shape; masked places point to the first element."""
    index = tensor(where.offset).to(torch.int64)
    index, chosen = torch.broadcast_tensors(index, tensor(True if mask is None else mask).to(torch.bool))
    return torch.where(chosen, index, 0), chosen


def load(where: Pointer, mask: Any = None, other: Any = 0, *args: Any, **kwargs: Any) -> torch.Tensor:
    index, chosen = place(where, mask)
    if Kernel.pending is not None:
        Kernel.pending.read(where.flat)
    found = where.flat[index]
    return found if mask is None else torch.where(chosen, found, tensor(other).to(found.dtype))


def store(where: Pointer, value: Any, mask: Any = None, *args: Any, **kwargs: Any) -> None:
    index, chosen = place(where, mask)
    index, chosen, value = torch.broadcast_tensors(index, chosen, tensor(value).to(where.flat.dtype))
    if Kernel.pending is not None:
        Kernel.pending.add(where.flat, index, chosen, value)
    else:
        where.flat[index[chosen]] = value[chosen]


def atomic_add(where: Pointer, value: Any, mask: Any = None, *args: Any, **kwargs: Any) -> torch.Tensor:
    if Kernel.pending is not None:
        raise RuntimeError("a program that adds to what others add to")
    index, chosen = place(where, mask)
    before = where.flat[index]
    index, chosen, value = torch.broadcast_tensors(index, chosen, tensor(value).to(where.flat.dtype))
    where.flat.index_put_((index[chosen],), value[chosen], accumulate=True)
    return before


class TensorDescriptor:
    """A tensor that is read and written block by block; what lies outside is read as zero and not written."""

    def __init__(self, base: torch.Tensor, shape: Any, strides: Any, block_shape: Any, *args: Any, **kwargs: Any):
        self.base, self.block_shape = base.detach(), [int(n) for n in block_shape]

    @classmethod
    def from_tensor(cls, tensor: torch.Tensor, block_shape: Any, *args: Any, **kwargs: Any) -> TensorDescriptor:
        return cls(tensor, tensor.shape, tensor.stride(), block_shape)

    def part(self, offsets: Any) -> tuple[torch.Tensor, tuple[slice, ...]]:
        """Return the part of the block at `offsets` that lies inside, and where in the block it is."""
        starts = [int(n) for n in offsets]
        inside = self.base[tuple(slice(a, a + n) for a, n in zip(starts, self.block_shape, strict=True))]
        return inside, tuple(slice(0, n) for n in inside.shape)

    def load(self, offsets: Any) -> torch.Tensor:
        """Return the block at `offsets`."""
        inside, where = self.part(offsets)
        block = torch.zeros(self.block_shape, dtype=self.base.dtype)
        block[where] = inside
        return block

    def store(self, offsets: Any, value: torch.Tensor) -> None:
        inside, where = self.part(offsets)
        inside.copy_(value[where])


class Kernel:
    """A compiled kernel: `kernel[grid](...)` runs it. Called from another kernel it is a plain function."""

    launches: ClassVar[int] = 0
    """Launches that did nothing."""
    program: ClassVar[tuple[Any, ...]] = (0, 0, 0)
    grid: ClassVar[tuple[int, ...]] = (1, 1, 1)
    pending: ClassVar[Pending | None] = None
    """Set while all programs run at once."""

    def __init__(self, function: Any = None, defaults: dict[str, Any] | None = None) -> None:
        self.function, self.defaults = function, defaults or {}
        self.broken = self.single = False

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return lambda *args, **kwargs: self.launch(grid, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def launch(self, grid: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run every program of the grid; a kernel that fails once is skipped from then on."""
        meta = self.defaults | {k: v for k, v in kwargs.items() if k not in LAUNCH_OPTIONS}
        if not self.broken:
            try:
                with torch.no_grad():
                    self.run(grid(meta) if callable(grid) else grid, [passed(a) for a in args], meta)
                return
            except Exception:
                self.broken = True
        Kernel.launches += 1

    def run(self, grid: Any, args: list[Any], meta: dict[str, Any]) -> None:
        sizes = tuple(int(n) for n in (grid if isinstance(grid, tuple | list) else (grid,)))
        Kernel.grid = (*sizes, 1, 1)[:3]
        if math.prod(sizes) > MOST_PROGRAMS:
            raise ValueError("a grid larger than is run")
        named = {name: passed(value) for name, value in meta.items()}
        if not self.single and math.prod(sizes) > 1:
            try:
                self.run_at_once(args, named)
                return
            except Exception:
                self.single = True
            finally:
                Kernel.pending = None
        for program in itertools.product(*(range(n) for n in Kernel.grid)):
            Kernel.program = program
            self.function(*args, **named)

    def run_at_once(self, args: list[Any], named: dict[str, Any]) -> None:
        """Run the programs as one, along a dimension of its own. Raises where they go different ways, or talk."""
        programs = torch.cartesian_prod(*(torch.arange(n) for n in Kernel.grid))
        flats: list[torch.Tensor] = []

        def one(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor, ...]:
            Kernel.program, Kernel.pending = (x, y, z), Pending()
            self.function(*args, **named)
            flats[:] = Kernel.pending.flats
            return tuple(Kernel.pending.parts)

        parts = torch.vmap(one)(*programs.unbind(1))
        written = Pending()
        written.flats = flats
        written.settle(parts)


def passed(value: Any) -> Any:
    """Return what a kernel gets for an argument: an address for a tensor, all else as it is."""
    return pointer(value) if isinstance(value, torch.Tensor) else value


def jit(*args: Any, **kwargs: Any) -> Any:
    return Kernel(args[0]) if args and callable(args[0]) else Kernel


def autotune(configs: Any = (), *args: Any, **kwargs: Any) -> Any:
    """Take the first of the configurations: which one is fastest does not matter here."""
    first = next(iter(configs), None)
    return lambda kernel: with_defaults(kernel, dict(getattr(first, "kwargs", {})))


def with_defaults(kernel: Any, defaults: dict[str, Any]) -> Any:
    return Kernel(kernel.function, defaults | kernel.defaults) if isinstance(kernel, Kernel) else kernel


class Config:
    """One configuration of a tuned kernel."""

    def __init__(self, kwargs: dict[str, Any] | None = None, *args: Any, **options: Any) -> None:
        self.kwargs = kwargs or {}


def steps(*args: Any, **kwargs: Any) -> Iterator[int]:
    return iter(range(*(int(n) for n in args)))


def reduction(function: Any) -> Callable[..., torch.Tensor]:
    def reduce(x: Any, axis: Any = None, *args: Any, keep_dims: bool = False, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = function(x) if axis is None else function(x, dim=axis, keepdim=keep_dims)
        return out

    return reduce


def cumulated(x: Any, axis: int = 0, reverse: bool = False, *args: Any, **kwargs: Any) -> torch.Tensor:
    return torch.cumsum(x.flip(axis), axis).flip(axis) if reverse else torch.cumsum(x, axis)


def unknown(*args: Any, **kwargs: Any) -> None:
    raise NotImplementedError("an operation on memory that is not known here")


def elementwise(function: Any) -> Callable[..., torch.Tensor]:
    def apply(*args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = function(*map(tensor, args))
        return out

    return apply


def dot(a: torch.Tensor, b: torch.Tensor, acc: Any = None, *args: Any, **kwargs: Any) -> torch.Tensor:
    product = a.float() @ b.float()
    return product if acc is None else acc + product


def shaped(function: Any) -> Callable[..., torch.Tensor]:
    """Return `function` of a tensor and dimensions that are given one by one or as a list."""

    def call(x: torch.Tensor, *dims: Any, **kwargs: Any) -> torch.Tensor:
        flat = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
        out: torch.Tensor = function(x, tuple(int(n) for n in flat))
        return out

    return call


def constexpr(value: Any = None) -> Any:
    return value


def same(x: Any, *args: Any, **kwargs: Any) -> Any:
    return x


def nothing(*args: Any, **kwargs: Any) -> None:
    return None


LANGUAGE: dict[str, Any] = {
    "constexpr": constexpr,
    "program_id": lambda axis=0, *a, **k: tensor(Kernel.program[int(axis)]),
    "num_programs": lambda axis=0, *a, **k: torch.tensor(Kernel.grid[int(axis)]),
    "arange": lambda start, end: torch.arange(int(start), int(end)),
    "range": steps, "static_range": steps,
    "load": load, "store": store, "atomic_add": atomic_add, "TensorDescriptor": TensorDescriptor,
    "zeros": lambda shape, dtype=None, **k: torch.zeros(tuple(int(n) for n in shape), dtype=dtype),
    "full": lambda shape, value, dtype=None, **k: torch.full(tuple(int(n) for n in shape), value, dtype=dtype),
    "zeros_like": torch.zeros_like,
    "dot": dot, "trans": lambda x, *dims: x.permute(*dims) if dims else x.mT,
    "reshape": shaped(torch.reshape), "view": shaped(torch.reshape), "permute": shaped(torch.permute),
    "broadcast_to": shaped(torch.broadcast_to), "expand_dims": lambda x, axis: x.unsqueeze(axis),
    "split": lambda x: (x[..., 0], x[..., 1]), "join": lambda a, b: torch.stack([a, b], dim=-1),
    "where": lambda c, a, b: torch.where(tensor(c), tensor(a), tensor(b)),
    "sum": reduction(torch.sum), "max": reduction(torch.amax), "min": reduction(torch.amin),
    "argmax": reduction(torch.argmax), "argmin": reduction(torch.argmin),
    "cumsum": cumulated,
    "maximum": elementwise(torch.maximum), "minimum": elementwise(torch.minimum),
    "cdiv": lambda a, b: -(-a // b),
    "multiple_of": same, "max_contiguous": same, "cast": lambda x, dtype, *a, **k: x.to(dtype),
    "static_assert": nothing, "assume": nothing, "debug_barrier": nothing, "device_assert": nothing,
}  # fmt: skip
for _name in ("max", "min", "and", "or", "xor", "xchg", "cas"):
    LANGUAGE["atomic_" + _name] = unknown
for _name in ("exp", "exp2", "log", "log2", "sqrt", "rsqrt", "abs", "sigmoid", "sin", "cos", "floor", "ceil", "erf"):
    LANGUAGE[_name] = elementwise(getattr(torch, _name))
LANGUAGE["tanh"] = elementwise(torch.tanh)
DTYPES = {"int1": "bool", "uint1": "bool"} | {
    name: name
    for name in ("int8", "int16", "int32", "int64", "uint8", "float16", "bfloat16", "float32", "float64")
}  # fmt: skip
"""Names of the language's number types, looked up in torch when asked for: half precision may stand for float32."""


def language(name: str) -> Any:
    """Return what `triton.language` offers under `name`, None where it is not known here."""
    return getattr(torch, DTYPES[name]) if name in DTYPES else LANGUAGE.get(name)
