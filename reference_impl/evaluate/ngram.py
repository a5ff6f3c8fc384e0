"""Mixing the network with n-gram counts of already scored tokens, as full normalised distributions (spec 6.9).

Legal because: counts come from released tokens only; the distribution over all V tokens is written down, and sums to
one, before the target is looked at; order and weight depend on the prefix alone. A ratio of two hash tables looked
up with the target in the key is not a distribution (#865), however backward-looking its tables are.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from reference_impl.config import EvalConfig
from reference_impl.dist import rank_index, world_size
from reference_impl.evaluate.scorebook import ScoreBook
from reference_impl.evaluate.windows import Window, plan_chunks, plan_windows, share
from reference_impl.metric import Totals
from reference_impl.model.gpt import Gpt


class Counts:
    """Exact successor counts of every context of 0..order tokens."""

    def __init__(self, vocab: int, order: int) -> None:
        self.vocab, self.order = vocab, order
        self.tables: list[dict[tuple[int, ...], dict[int, int]]] = [{} for _ in range(order + 1)]

    def learn(self, tokens: list[int], history: list[int]) -> None:
        """Count each token after its contexts; `history` is what came before `tokens`."""
        stream = [*history[-self.order :], *tokens] if self.order else list(tokens)
        offset = len(stream) - len(tokens)
        for position in range(offset, len(stream)):
            for order in range(min(self.order, position) + 1):
                context = tuple(stream[position - order : position])
                successors = self.tables[order].setdefault(context, {})
                successors[stream[position]] = successors.get(stream[position], 0) + 1

    def dirichlet(self, prefix: list[int], kappa: float) -> np.ndarray:
        """p_k(v) = (c_k(v) + kappa p_{k-1}(v)) / (n_k + kappa), from uniform up to the longest context: float64
        (V,).
        """
        p_V = np.full(self.vocab, 1.0 / self.vocab)
        for order in range(min(self.order, len(prefix)) + 1):
            successors = self.tables[order].get(tuple(prefix[len(prefix) - order :]))
            if successors:
                p_V *= kappa
                p_V[list(successors)] += list(successors.values())
                p_V /= sum(successors.values()) + kappa
        return p_V

    def ppm(self, prefix: list[int]) -> np.ndarray:
        """PPM-C without exclusion: escape mass U/(T+U) at every order, uniform at the end: float64 (V,)."""
        p_V, escape = np.zeros(self.vocab), 1.0
        for order in range(min(self.order, len(prefix)), -1, -1):
            successors = self.tables[order].get(tuple(prefix[len(prefix) - order :]))
            if successors:
                total, distinct = sum(successors.values()), len(successors)
                p_V[list(successors)] += escape * np.asarray(list(successors.values())) / (total + distinct)
                escape *= distinct / (total + distinct)
        return p_V + escape / self.vocab


def tilt(p_V: np.ndarray, hint: int, beta: float) -> np.ndarray:
    """p'(v) = p(v) exp(beta [v = hint]) / Z with Z = 1 + p(hint)(e^beta - 1); the hint comes from the prefix only."""
    boost = math.exp(beta) - 1.0
    tilted = p_V.copy()
    tilted[hint] *= 1.0 + boost
    return tilted / (1.0 + p_V[hint] * boost)


def eval_val_ngram(model: Gpt, book: ScoreBook, config: EvalConfig, sequence: int) -> Totals:
    """Sliding evaluation, each chunk's distribution mixed with counts of the chunks before it; weights stay frozen."""
    windows = plan_windows(book.targets, sequence, config.stride or sequence)
    chunks = plan_chunks(windows, book.targets, config.ttt_chunk)
    counts = Counts(model.config.vocab, config.ngram_order)
    history: list[int] = []
    for index, members in enumerate(chunks):
        start, end = index * config.ttt_chunk, min((index + 1) * config.ttt_chunk, book.targets)
        first, last = share(len(members), rank_index(), world_size())
        for window in members[first:last]:
            score_mixed(model, book, window, counts, config)
        book.settle(start, end)
        if index == len(chunks) - 1:
            break
        if config.ngram_tokens == 0 or end <= config.ngram_tokens:
            seen = book.release(start, end)[1].tolist()
            counts.learn(seen, history)
            history = seen
    return book.totals()


def score_mixed(model: Gpt, book: ScoreBook, window: Window, counts: Counts, config: EvalConfig) -> None:
    """Fix the scores of one window: build every position's full mixture first, then read the target's entry."""
    model.eval()
    with torch.no_grad():
        x, y = book.window(window.start, window.end)
        network = torch.softmax(model.logits(x[None])[0].float().double(), dim=-1).cpu().numpy()
        skip, prefix = window.first - window.start, x.tolist()
        mixture = [
            mix(network[t], ngram_distribution(counts, prefix[: t + 1], config), config.ngram_weight)
            for t in range(skip, len(prefix))
        ]
        probability = torch.from_numpy(np.stack(mixture))
        targets = y[skip:].cpu()
        nats = -torch.log(probability.gather(1, targets[:, None])[:, 0])
        book.write(window.first, nats.float().to(book.device))


def ngram_distribution(counts: Counts, prefix: list[int], config: EvalConfig) -> np.ndarray:
    """The configured normalised n-gram distribution after `prefix`: float64 (V,)."""
    if config.ngram == "ppm":
        return counts.ppm(prefix)
    return counts.dirichlet(prefix, config.ngram_kappa)


def mix(network_V: np.ndarray, ngram_V: np.ndarray, weight: float) -> np.ndarray:
    """(1 - w) network + w n-gram; both sum to one, so the mixture does."""
    return (1.0 - weight) * network_V + weight * ngram_V
