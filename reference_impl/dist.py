"""The only place that starts a process group, and the few collectives that evaluation and training share.

nccl on GPUs, gloo on CPUs, nothing for one process. Decisions (stop, epochs, phase) are taken on sums or broadcast,
never on a rank's own clock: ranks that disagree hang in the next collective.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
import torch.distributed as torch_dist
from torch import Tensor


def start_group(device_hint: str = "auto") -> tuple[int, int, torch.device]:
    """Join the torchrun group if there is one; return (rank, world size, device)."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    use_cuda = device_hint != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda", local) if use_cuda else torch.device("cpu")
    if use_cuda:
        torch.cuda.set_device(device)
    if world > 1 and not torch_dist.is_initialized():
        torch_dist.init_process_group("nccl" if use_cuda else "gloo", rank=rank, world_size=world)
    return rank, world, device


def stop_group() -> None:
    """Leave the process group, if any."""
    if torch_dist.is_initialized():
        torch_dist.destroy_process_group()


def world_size() -> int:
    """Number of ranks; 1 without a group."""
    return torch_dist.get_world_size() if torch_dist.is_initialized() else 1


def rank_index() -> int:
    """This rank; 0 without a group."""
    return torch_dist.get_rank() if torch_dist.is_initialized() else 0


def sum_over_ranks(values: Sequence[float], device: torch.device) -> list[float]:
    """Sum float64 values over ranks."""
    if not torch_dist.is_initialized():
        return list(values)
    total = torch.tensor(list(values), dtype=torch.float64, device=device)
    torch_dist.all_reduce(total)
    return [float(value) for value in total]


def sum_tensor(tensor: Tensor) -> Tensor:
    """Sum a tensor over ranks in place and return it."""
    if torch_dist.is_initialized():
        torch_dist.all_reduce(tensor)
    return tensor


def sum_gradients(parameters: Sequence[Tensor], weight: float) -> None:
    """Replace each gradient by sum(grad * weight) over ranks: one flat buffer, missing gradients count as zero.

    With weight = this rank's tokens / all tokens and mean losses, the result is the gradient of the global mean, and
    ranks without work join the collective with zeros.
    """
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in parameters])
    flat = sum_tensor(flat * weight)
    offset = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.grad = flat[offset : offset + size].view_as(parameter).to(parameter.dtype)
        offset += size


def from_rank_zero(value: float, device: torch.device) -> float:
    """Return rank 0's value on every rank."""
    if not torch_dist.is_initialized():
        return value
    box = torch.tensor([value], dtype=torch.float64, device=device)
    torch_dist.broadcast(box, 0)
    return float(box[0])


def barrier() -> None:
    """Wait for all ranks."""
    if torch_dist.is_initialized():
        torch_dist.barrier()
