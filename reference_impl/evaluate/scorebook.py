"""The one owner of the validation tokens: it hands them out for scoring, and for learning only once they are scored.

An illegal order cannot be written by accident: `window` refuses to work while gradients are enabled, `write` refuses a
second score for a target, `release` refuses targets without a final score, and `totals` refuses partial coverage.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reference_impl.dist import sum_over_ranks, sum_tensor
from reference_impl.errors import LegalityError
from reference_impl.metric import Totals


class ScoreBook:
    """Scores of one evaluation over targets 0..n-1, where target i is tokens[i+1]."""

    def __init__(self, tokens_N: np.ndarray, bytes_N: np.ndarray, device: torch.device) -> None:
        """`tokens_N` int64 (n+1,); `bytes_N` int64 (n,) bytes charged per target."""
        self._tokens = torch.from_numpy(tokens_N).to(device)
        self._bytes = torch.from_numpy(bytes_N).to(device)
        self.targets = len(tokens_N) - 1
        self.nats_n = torch.full((self.targets,), float("nan"), device=device)
        self._scored = torch.zeros(self.targets, dtype=torch.int32, device=device)  # by this rank
        self._agreed = torch.zeros(self.targets, dtype=torch.bool, device=device)  # by some rank, settled
        self._nats, self._count, self._charged = 0.0, 0, 0
        self._reported = (0.0, 0, 0)
        self.device = device

    def window(self, start: int, end: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets to *score*: int64 (end-start,) each. Raises while gradients are enabled."""
        if torch.is_grad_enabled():
            raise LegalityError("validation tokens are handed out for scoring only without gradients")
        return self._tokens[start:end], self._tokens[start + 1 : end + 1]

    def write(self, start: int, nats: Tensor) -> None:
        """Fix the scores of targets start.. in nats; raises when one of them has a score already."""
        end = start + nats.numel()
        if bool(self._scored[start:end].any()) or bool(self._agreed[start:end].any()):
            raise LegalityError(f"targets {start}..{end - 1}: expected unscored targets, found one scored before")
        self._scored[start:end] = 1
        self.nats_n[start:end] = nats
        self._nats += float(nats.double().sum())
        self._count += nats.numel()
        self._charged += int(self._bytes[start:end].sum())

    def settle(self, start: int, end: int) -> Totals:
        """Agree with all ranks that targets start..end-1 are scored; return the sums since the last settlement.

        Raises when a target has no score, or has one on two ranks.
        """
        scored = sum_tensor(self._scored[start:end].clone())
        if not bool((scored == 1).all()):
            wrong = int((scored != 1).sum())
            raise LegalityError(
                f"targets {start}..{end - 1}: expected one score each, found {wrong} with none or several"
            )
        self._agreed[start:end] = True
        now = (self._nats, self._count, self._charged)
        nats, count, charged = sum_over_ranks([a - b for a, b in zip(now, self._reported, strict=True)], self.device)
        self._reported = now
        return Totals(nats, int(count), int(charged))

    def release(self, start: int, end: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets to *learn* from: int64 (end-start,) each. Raises unless every target is already scored."""
        if not bool((self._agreed[start:end] | (self._scored[start:end] > 0)).all()):
            raise LegalityError(f"targets {start}..{end - 1}: asked for learning before they were all scored")
        return self._tokens[start:end], self._tokens[start + 1 : end + 1]

    def bos_positions(self, bos_id: int) -> list[int]:
        """Indices of BOS tokens: document boundaries are part of the task's framing, not of any prediction."""
        return torch.nonzero(self._tokens == bos_id).flatten().tolist()

    def totals(self) -> Totals:
        """Sums over all targets; raises unless each of them was scored exactly once."""
        nats, count, charged = sum_over_ranks([self._nats, self._count, self._charged], self.device)
        if int(count) != self.targets:
            raise LegalityError(f"expected {self.targets} scored targets, found {int(count)}")
        return Totals(nats, int(count), int(charged))
