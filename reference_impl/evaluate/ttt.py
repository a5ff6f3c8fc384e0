"""Score-first test-time training of all weights, chunk by chunk (spec 6.3 to 6.6): legal by order.

For each chunk: every target gets its final score from weights that never saw it; only then do the weights learn from
the chunk. The last chunk is scored and not learned from. Epochs, stops and learning rates are equal on all ranks by
construction.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impl.config import EvalConfig
from reference_impl.dist import rank_index, sum_gradients, world_size
from reference_impl.evaluate.scorebook import ScoreBook
from reference_impl.evaluate.sliding import score_windows
from reference_impl.evaluate.windows import plan_chunks, plan_windows, share
from reference_impl.metric import Totals
from reference_impl.model.gpt import Gpt
from reference_impl.optim.newton_schulz import orthogonalise


def eval_val_ttt(model: Gpt, book: ScoreBook, config: EvalConfig, sequence: int) -> Totals:
    """Evaluate with sliding windows while the weights learn from chunks already scored. Changes `model`."""
    windows = plan_windows(book.targets, sequence, config.stride)
    chunks = plan_chunks(windows, book.targets, config.ttt_chunk)
    learner = ChunkLearner(model, config, sequence)
    for index, members in enumerate(chunks):
        start, end = index * config.ttt_chunk, min((index + 1) * config.ttt_chunk, book.targets)
        first, last = share(len(members), rank_index(), world_size())
        score_windows(model, book, members[first:last], config.batch)
        scored = book.settle(start, end)
        if index == len(chunks) - 1:
            break
        epochs = epochs_for(scored, config)
        rate = 0.5 * config.ttt_lr * (1 + math.cos(math.pi * index / (len(chunks) - 1)))
        x, y = book.release(start, end)
        learner.learn(x, y, (end - start) // sequence, rate, epochs)
    model.eval()
    return book.totals()


def epochs_for(scored: Totals, config: EvalConfig) -> int:
    """Passes over a chunk: one more when its own, already final, loss is high, one fewer when low (#1148)."""
    if not config.entropy_epochs:
        return config.ttt_epochs
    if scored.loss() > config.entropy_high:
        return config.ttt_epochs + 1
    if scored.loss() < config.entropy_low:
        return config.ttt_epochs - 1
    return config.ttt_epochs


class ChunkLearner:
    """SGD with momentum, or Muon-TTT: p -= lr NS_3(g) for matrices and lr g for vectors, without momentum (#1148)."""

    def __init__(self, model: Gpt, config: EvalConfig, sequence: int) -> None:
        self.model, self.config, self.sequence = model, config, sequence
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.velocity = [torch.zeros_like(parameter) for parameter in self.parameters]

    def learn(self, x_N: Tensor, y_N: Tensor, rows: int, rate: float, epochs: int) -> None:
        """Take `epochs` passes over scored tokens x -> y (n,), as sequences shared between ranks; a short tail is
        left out.
        """
        self.model.train()
        for _ in range(epochs):
            for first in range(0, rows, self.config.batch):
                self._step(x_N, y_N, first, min(first + self.config.batch, rows), rate)

    def _step(self, x_N: Tensor, y_N: Tensor, first: int, last: int, rate: float) -> None:
        """One update on rows first..last-1, shared between ranks; a rank without a row joins with zeros."""
        low, high = share(last - first, rank_index(), world_size())
        start, end = (first + low) * self.sequence, (first + high) * self.sequence
        for parameter in self.parameters:
            parameter.grad = None
        if high > low:
            logits = self.model.logits(x_N[start:end].view(-1, self.sequence)).float()
            loss = F.cross_entropy(logits.flatten(0, 1), y_N[start:end])
            loss.backward()
        sum_gradients(self.parameters, (high - low) / (last - first))
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config.ttt_clip)
        self._update(rate)

    @torch.no_grad()
    def _update(self, rate: float) -> None:
        for parameter, velocity in zip(self.parameters, self.velocity, strict=True):
            gradient = parameter.grad
            if self.config.ttt == "muon":
                if gradient.ndim >= 2:
                    gradient = orthogonalise(gradient, "jordan", 3)
                parameter.sub_(gradient, alpha=rate)
            else:
                velocity.mul_(self.config.ttt_momentum).add_(gradient)
                parameter.sub_(velocity, alpha=rate)
