"""ILLEGAL evaluations, small and labelled: each exists to prove that the checks of reference_impl.legality refuse it.

Never import this from reference_impl. The classes are those of the contest's rulings (spec 6.9, 6.10).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from reference_toys import VOCAB, everything_model, trained_toy_model


def _nats(model: torch.nn.Module, tokens: np.ndarray) -> np.ndarray:
    """Plain scores in windows of 16 targets."""
    ids = torch.from_numpy(tokens)
    out = []
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, 16):
            end = min(start + 16, len(tokens) - 1)
            logits = model.logits(ids[None, start:end])[0].float()
            out.append(F.cross_entropy(logits, ids[start + 1 : end + 1], reduction="none"))
    return torch.cat(out).numpy()


def train_then_score(tokens: np.ndarray) -> np.ndarray:
    """Class prequant-val-ttt: learn from all validation tokens, then score them."""
    model = trained_toy_model(everything_model())
    ids = torch.from_numpy(tokens)
    rows = (len(tokens) - 1) // 16
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model(ids[: rows * 16].view(rows, 16), ids[1 : rows * 16 + 1].view(rows, 16)).backward()
    optimizer.step()
    return _nats(model, tokens)


def two_pass_rescore(tokens: np.ndarray) -> np.ndarray:
    """Class two-pass-rescore: build a unigram cache over everything, then blend it into every score."""
    model = trained_toy_model(everything_model())
    counts = np.bincount(tokens, minlength=VOCAB) + 1.0
    cache = counts / counts.sum()
    return -np.log(0.9 * np.exp(-_nats(model, tokens)) + 0.1 * cache[tokens[1:]])


def target_keyed_ratio(tokens: np.ndarray) -> np.ndarray:
    """Class target-keyed-ngram: ratio of two hashed counts, one keyed with the target. No distribution.

    After every token all orders are counted; the blend asks only for the token that occurred.
    """
    base = np.full(len(tokens) - 1, 1 / VOCAB)
    context_table, full_table = np.zeros(32), np.zeros(32)
    scores = []
    for i, target in enumerate(tokens[1:]):
        context = (int(tokens[i]) * 36313) % 32
        full = (context * 31 ^ int(target) * 27191) % 32
        p = base[i]
        if context_table[context] >= 2:
            p = 0.2 * p + 0.8 * min(full_table[full], context_table[context]) / context_table[context]
        scores.append(-np.log(max(p, 1e-12)))
        context_table[context] += 1
        full_table[full] += 1
    return np.asarray(scores)


def target_gated_hint(tokens: np.ndarray) -> np.ndarray:
    """Class target-gated-hint: boost the repeated token only where the target is a large id."""
    nats = np.full(len(tokens) - 1, np.log(VOCAB))
    hit = (tokens[1:] == np.concatenate(([0], tokens[:-2]))) & (tokens[1:] >= VOCAB // 2)
    return np.where(hit, nats - 1.0, nats)


def peeking_network(tokens: np.ndarray) -> np.ndarray:
    """A network that is not causal: its logits see the next input."""
    model = trained_toy_model(everything_model())
    nats = _nats(model, tokens)
    return nats + 0.1 * (np.roll(tokens[1:], -1) / VOCAB)
