"""Frozen evaluation: score windows with the artifact, nothing adapts (spec 6.1, 6.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from reference_impl.dist import rank_index, world_size
from reference_impl.evaluate.scorebook import ScoreBook
from reference_impl.evaluate.windows import Window, plan_windows, share
from reference_impl.metric import Totals
from reference_impl.model.gpt import Gpt


def eval_val_sliding(model: Gpt, book: ScoreBook, sequence: int, stride: int, batch: int) -> Totals:
    """Score every target once with up to `sequence` tokens of context, `stride` new targets a window.

    `stride` = `sequence` is the plain round-trip evaluation. Windows are shared between ranks.
    """
    windows = plan_windows(book.targets, sequence, stride)
    first, last = share(len(windows), rank_index(), world_size())
    score_windows(model, book, windows[first:last], batch)
    return book.totals()


def score_windows(model: Gpt, book: ScoreBook, windows: list[Window], batch: int) -> None:
    """Fix the scores of these windows' targets, `batch` windows of one length at a time; no gradient exists here."""
    model.eval()
    with torch.no_grad():
        for group in _same_length(windows, batch):
            pairs = [book.window(window.start, window.end) for window in group]
            x_BT = torch.stack([x for x, _ in pairs])
            y_BT = torch.stack([y for _, y in pairs])
            logits = model.logits(x_BT).float()
            nats_BT = F.cross_entropy(logits.flatten(0, 1), y_BT.flatten(), reduction="none").view_as(y_BT)
            for row, window in enumerate(group):
                book.write(window.first, nats_BT[row, window.first - window.start :])


def _same_length(windows: list[Window], batch: int) -> list[list[Window]]:
    """Consecutive groups of at most `batch` windows of equal length."""
    groups: list[list[Window]] = []
    for window in windows:
        last = groups[-1] if groups else []
        if last and len(last) < batch and last[0].end - last[0].start == window.end - window.start:
            last.append(window)
        else:
            groups.append([window])
    return groups
