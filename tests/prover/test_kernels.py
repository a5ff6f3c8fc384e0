"""Triton kernels run as Python: they compute what torch computes, or are counted as skipped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from auditor.prover.child import kernels, stubs

names = [*kernels.LANGUAGE, *kernels.DTYPES]
tl = SimpleNamespace(**{name: kernels.language(name) for name in names})


@kernels.jit
def log_sum_exp(x_ptr: Any, out_ptr: Any, stride: Any, columns: Any, block: Any) -> None:
    """One row a program, block by block behind a mask."""
    row = tl.program_id(0).to(tl.int64)
    largest, total = -float("inf"), 0.0
    for start in range(0, columns, block):
        cols = start + tl.arange(0, block)
        x = tl.load(x_ptr + row * stride + cols, mask=cols < columns, other=-float("inf")).to(tl.float32)
        new = tl.maximum(largest, tl.max(x, axis=0))
        total = total * tl.exp(largest - new) + tl.sum(tl.exp(x - new), axis=0)
        largest = new
    tl.store(out_ptr + row, largest + tl.log(total))


@kernels.jit
def product(a: Any, b: Any, c: Any, m: Any, n: Any, k: Any, size: Any) -> None:
    """Blocks of descriptors, as persistent kernels take them."""
    across = tl.cdiv(n, size)
    for tile in tl.range(tl.program_id(0), tl.cdiv(m, size) * across, tl.num_programs(0)):
        sums = tl.zeros((size, size), dtype=tl.float32)
        for at in range(0, k, size):
            sums = tl.dot(a.load([tile // across * size, at]), b.load([tile % across * size, at]).T, sums)
        c.store([tile // across * size, tile % across * size], sums)


def test_rows_are_read_behind_masks() -> None:
    """Also where the tensor is a part of a larger one: strides and offsets are those of the storage."""
    whole = torch.randn(9, 50, generator=torch.Generator().manual_seed(1))
    x, out = whole[2:7, :21], torch.zeros(5)
    log_sum_exp[(5,)](x[:, 0:], out, x.stride(0), 21, block=8, num_warps=4)
    assert torch.allclose(out, torch.logsumexp(x, dim=1), atol=1e-6)
    assert not log_sum_exp.single


def test_blocks_are_cut_at_the_border() -> None:
    """Tiles that reach beyond the tensors read zeros there and write nothing."""
    draw = torch.Generator().manual_seed(2)
    a, b, c = torch.randn(13, 11, generator=draw), torch.randn(10, 11, generator=draw), torch.zeros(13, 10)
    described = [tl.TensorDescriptor.from_tensor(t, [4, 4]) for t in (a, b, c)]
    product[lambda meta: (3,)](*described, 13, 10, 11, size=4)
    assert torch.allclose(c, a @ b.T, atol=1e-5)


def test_programs_that_read_what_they_wrote_run_one_by_one() -> None:
    """Run all at once they would see what was there before; sums that all programs add to come out whole."""

    def twice(out_ptr: Any) -> None:
        place = out_ptr + tl.program_id(0)
        tl.store(place, tl.load(place) + 1)
        tl.store(place, tl.load(place) * 2)

    def count(out_ptr: Any) -> None:
        tl.atomic_add(out_ptr, 1.0)

    out, total = torch.tensor([1.0, 2.0]), torch.zeros(1)
    for function, tensor in ((twice, out), (count, total)):
        kernel = kernels.jit(function)
        kernel[(2,)](tensor)
        assert kernel.single and not kernel.broken
    assert out.tolist() == [4.0, 6.0] and total.item() == 2.0


def test_what_cannot_be_run_is_skipped_and_counted() -> None:
    """An unknown word of the language, or a grid beyond the cap: the output stays as it was, every time."""

    def unknown(out_ptr: Any) -> None:
        tl.store(out_ptr, tl.no_such_word(1))

    before, out = kernels.Kernel.launches, torch.zeros(1)
    kernel = kernels.jit(unknown)
    kernel[(1,)](out)
    kernel[(1,)](out)
    kernels.jit(lambda out_ptr: tl.store(out_ptr, 1.0))[(1 << 20,)](out)
    assert kernels.Kernel.launches == before + 3 and out.item() == 0.0


def test_reductions_and_sums_that_run_backwards_are_what_they_say() -> None:
    """Kept dimensions let rows be divided by their own sums; an unknown change of memory is no silence."""
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert kernels.language("sum")(x, 1, keep_dims=True).tolist() == [[3.0], [8.0]]
    assert kernels.language("cumsum")(x, 1, reverse=True).tolist() == [[3.0, 2.0], [8.0, 5.0]]
    with pytest.raises(NotImplementedError):
        kernels.language("atomic_max")(x, 1)


@pytest.mark.parametrize(
    ("args", "kwargs", "seen"),
    [
        ((), {"causal": True}, "past"),
        ((None, True), {}, "past"),
        ((0.0, None, True), {}, "past"),
        ((), {"window_size": (-1, 0)}, "past"),
        ((), {"window_size": (1, 0)}, "last two"),
        ((), {"causal": True, "window_size": (1, 5)}, "last two"),
        ((), {}, "all"),
    ],
)
def test_attention_sees_what_it_may(args: tuple[Any, ...], kwargs: dict[str, Any], seen: str) -> None:
    """Options by name or by place: with equal keys each query averages the values that it may look at."""
    time = 6
    values = torch.arange(float(time)).view(1, time, 1, 1)
    zeros = torch.zeros(1, time, 1, 1)
    may = {"past": torch.tril(torch.ones(time, time)), "all": torch.ones(time, time)}
    may["last two"] = may["past"] - torch.tril(torch.ones(time, time), -2)
    mean = (may[seen] @ values.view(-1)) / may[seen].sum(1)
    assert torch.allclose(stubs.attention(zeros, zeros, values, *args, **kwargs).view(-1), mean)
    last = stubs.attention(zeros[:, -1:], zeros, values, *args, **kwargs)
    assert torch.allclose(last.view(-1), mean[-1:])


def test_packed_attention_passes_its_options_on() -> None:
    """One sequence after another, each causal by itself."""
    values, zeros = torch.arange(5.0).view(5, 1, 1), torch.zeros(5, 1, 1)
    starts = torch.tensor([0, 2, 5])
    out = stubs.attention_varlen(zeros, zeros, values, starts, starts, 3, 3, 0.0, None, True)
    assert out.view(-1).tolist() == [0.0, 0.5, 2.0, 2.5, 3.0]


def test_a_tuned_kernel_takes_its_first_configuration() -> None:
    """Its blocks' sizes come from there; a kernel calls another as a function."""
    double = kernels.jit(lambda x: 2.0 * x)

    @kernels.autotune(configs=[kernels.Config({"block": 4}, num_warps=2)], key=["n"])
    @kernels.jit
    def fill(out_ptr: Any, n: Any, block: Any) -> None:
        cols = tl.program_id(0) * block + tl.arange(0, block)
        tl.store(out_ptr + cols, double(tl.cast(cols, tl.float32)), mask=cols < n)

    out = torch.zeros(6)
    fill[lambda meta: (tl.cdiv(6, meta["block"]),)](out, 6)
    assert out.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
