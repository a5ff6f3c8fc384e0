"""Muon for the block matrices: plain, and parallel over banks of equal shapes.

    buf <- mu buf + g;  u = g + mu buf;  O = NS(u);  p <- p (1 - lr wd);  p <- p - lr sqrt(max(1, rows/cols)) O

Both classes do the same arithmetic and share one interface: `zero`, `reduce`, `squared_norm`, `apply`, `state`, `load`.

ParallelMuon (#399, arXiv 2511.07464). Matrices of one shape are views of one bank (n padded to a multiple of the ranks,
rows, cols), and so are their gradients; nothing is copied. The phases of a step:

    reduce      each bank, biggest first: async reduce-scatter of gradients; the caller reduces the small ones meanwhile
    apply       wait; momentum and NS on this rank's slice only; async all-gather of the orthogonal update
                while the next bank computes; then decay and update everywhere
Momentum lives on its owner; `state` gathers it, so a checkpoint does not depend on the number of ranks.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as torch_dist
from torch import Tensor, nn

from reference_impl.dist import rank_index, sum_tensor, world_size
from reference_impl.optim.newton_schulz import normalise_rows, orthogonalise

if hasattr(torch_dist, "reduce_scatter_single"):
    _reduce_scatter, _all_gather = torch_dist.reduce_scatter_single, torch_dist.all_gather_single
else:
    _reduce_scatter, _all_gather = torch_dist.reduce_scatter_tensor, torch_dist.all_gather_into_tensor


class Bank:
    """Parameters of one shape as views of one tensor (P, R, C), P a multiple of the number of ranks."""

    def __init__(self, parameters: list[nn.Parameter], world: int, rank: int) -> None:
        self.parameters = parameters
        rows, cols = parameters[0].shape
        padded = -(-len(parameters) // world) * world
        device = parameters[0].device
        self.weight = torch.zeros(padded, rows, cols, device=device)
        self.grad = torch.zeros_like(self.weight)
        self.share = padded // world
        self.momentum = torch.zeros(self.share, rows, cols, device=device)
        self.mine = self.grad[rank * self.share : (rank + 1) * self.share]
        self.aspect = max(1.0, rows / cols) ** 0.5
        self.work: Any = None
        for index, parameter in enumerate(parameters):
            self.weight[index].copy_(parameter.data)
            parameter.data = self.weight[index]
            parameter.grad = self.grad[index]


class ParallelMuon:
    """Muon over banks, the work of each bank shared between ranks."""

    def __init__(self, parameters: list[nn.Parameter], kind: str, steps: int, row_normalise: bool) -> None:
        """Take over the storage of `parameters` (2-D, float32, already on their device)."""
        self.kind, self.steps, self.row_normalise = kind, steps, row_normalise
        self.world, self.rank = world_size(), rank_index()
        shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for parameter in parameters:
            shapes.setdefault(tuple(parameter.shape), []).append(parameter)
        banks = [Bank(members, self.world, self.rank) for members in shapes.values()]
        self.banks = sorted(banks, key=lambda bank: -bank.weight.numel())

    def zero(self) -> None:
        """Clear gradients in place; they must stay views of the banks."""
        for bank in self.banks:
            bank.grad.zero_()

    def reduce(self) -> None:
        """Start averaging gradients over ranks; each rank receives its slice."""
        if self.world == 1:
            return
        for bank in self.banks:
            bank.mine = torch.empty_like(bank.momentum)
            bank.work = _reduce_scatter(bank.mine, bank.grad, async_op=True)

    def squared_norm(self) -> Tensor:
        """Sum of squares of this rank's slices of the averaged gradient (a scalar tensor; sum it over ranks)."""
        for bank in self.banks:
            if bank.work is not None:
                bank.work.wait()
                bank.work = None
                bank.mine.div_(self.world)
        return torch.stack([bank.mine.square().sum() for bank in self.banks]).sum()

    def apply(self, lr: float, decay: float, momentum: float, clip: Tensor) -> None:
        """Update the weights; `clip` multiplies the averaged gradient. Call after `squared_norm`."""
        pending: list[tuple[Bank, Tensor, Any]] = []
        for bank in self.banks:
            gradient = bank.mine * clip
            bank.momentum.mul_(momentum).add_(gradient)
            update = gradient.add_(bank.momentum, alpha=momentum)
            if self.row_normalise:
                update = normalise_rows(update)
            update = orthogonalise(update, self.kind, self.steps)
            work = None
            if self.world > 1:
                whole = torch.empty_like(bank.weight)
                work = _all_gather(whole, update.contiguous(), async_op=True)
                update = whole
            pending.append((bank, update, work))
        for bank, update, work in pending:
            if work is not None:
                work.wait()
            bank.weight.mul_(1 - lr * decay).add_(update, alpha=-lr * bank.aspect)

    def state(self) -> list[Tensor]:
        """Momentum per parameter, gathered from its owners, in bank order."""
        result = []
        for bank in self.banks:
            whole = bank.momentum
            if self.world > 1:
                whole = torch.empty_like(bank.weight)
                _all_gather(whole, bank.momentum)
            result += [whole[index].clone() for index in range(len(bank.parameters))]
        return result

    def load(self, state: list[Tensor]) -> None:
        """Restore what `state` returned, on any number of ranks."""
        position = 0
        for bank in self.banks:
            whole = torch.zeros_like(bank.weight)
            for index in range(len(bank.parameters)):
                whole[index].copy_(state[position])
                position += 1
            bank.momentum.copy_(whole[self.rank * bank.share : (self.rank + 1) * bank.share])


class PlainMuon:
    """The baseline's Muon: matrix j belongs to rank j mod N; updates are summed through one flat buffer."""

    def __init__(self, parameters: list[nn.Parameter], kind: str, steps: int, row_normalise: bool) -> None:
        """Keep momentum for every matrix; only the owner's is used."""
        self.parameters, self.kind, self.steps, self.row_normalise = parameters, kind, steps, row_normalise
        self.world, self.rank = world_size(), rank_index()
        self.momenta = [torch.zeros_like(parameter) for parameter in parameters]

    def zero(self) -> None:
        """Drop gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def reduce(self) -> None:
        """Average gradients over ranks."""
        for parameter in self.parameters:
            if self.world > 1:
                sum_tensor(parameter.grad).div_(self.world)

    def squared_norm(self) -> Tensor:
        """This rank's share of the sum of squares of the averaged gradient."""
        owned = [p.grad.square().sum() for j, p in enumerate(self.parameters) if j % self.world == self.rank]
        return torch.stack(owned).sum() if owned else torch.zeros((), device=self.parameters[0].device)

    def apply(self, lr: float, decay: float, momentum: float, clip: Tensor) -> None:
        """Update the weights; `clip` multiplies the averaged gradient."""
        updates = [torch.zeros_like(parameter) for parameter in self.parameters]
        for j, parameter in enumerate(self.parameters):
            if j % self.world != self.rank:
                continue
            gradient = parameter.grad * clip
            buffer = self.momenta[j].mul_(momentum).add_(gradient)
            update = (gradient + momentum * buffer)[None]
            if self.row_normalise:
                update = normalise_rows(update)
            updates[j] = orthogonalise(update, self.kind, self.steps)[0]
        if self.world > 1:
            flat = sum_tensor(torch.cat([update.flatten() for update in updates]))
            updates = [
                part.view_as(p) for part, p in zip(flat.split([p.numel() for p in updates]), updates, strict=True)
            ]
        with torch.no_grad():
            for parameter, update in zip(self.parameters, updates, strict=True):
                scale = max(1.0, parameter.size(0) / parameter.size(1)) ** 0.5
                parameter.mul_(1 - lr * decay).add_(update, alpha=-lr * scale)

    def state(self) -> list[Tensor]:
        """Momentum per parameter, taken from its owner."""
        owned = [m if j % self.world == self.rank else torch.zeros_like(m) for j, m in enumerate(self.momenta)]
        return [sum_tensor(buffer.clone()) for buffer in owned]

    def load(self, state: list[Tensor]) -> None:
        """Restore what `state` returned."""
        for buffer, saved in zip(self.momenta, state, strict=True):
            buffer.copy_(saved)
