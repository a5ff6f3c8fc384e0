"""Score-first adaptation per document with low-rank additions (spec 6.7), and its phased form (spec 6.8).

Each document starts from fresh adapters, so documents do not depend on each other: chunk k of a document is scored with
adapters that learned from its chunks 0..k-1 only, then they learn from chunk k. In the phased form, pauses let the base
weights learn from documents that are entirely scored; the documents that follow are scored with the better weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impl.config import EvalConfig
from reference_impl.dist import rank_index, world_size
from reference_impl.evaluate.scorebook import ScoreBook
from reference_impl.evaluate.ttt import ChunkLearner
from reference_impl.evaluate.windows import documents
from reference_impl.metric import Totals
from reference_impl.model.attention import LoraSlot
from reference_impl.model.gpt import Gpt
from reference_impl.model.plan import layer_plan

Span = tuple[int, int]


def eval_val_lora(model: Gpt, book: ScoreBook, config: EvalConfig, sequence: int, bos_id: int, seed: int) -> Totals:
    """Evaluate document by document; ranks take documents in turn, and the base weights stay as they are."""
    spans = by_length(documents(book.bos_positions(bos_id), book.targets))
    score_documents(model, book, spans, config, sequence, seed)
    book.settle(0, book.targets)
    return book.totals()


def eval_val_phased(model: Gpt, book: ScoreBook, config: EvalConfig, sequence: int, bos_id: int, seed: int) -> Totals:
    """As `eval_val_lora`, with `phases` pauses in the first `phase_documents` documents. Changes `model`."""
    spans = by_length(documents(book.bos_positions(bos_id), book.targets))
    learner = ChunkLearner(model, config, sequence)
    done = 0
    for phase in range(config.phases):
        boundary = min(config.phase_documents, len(spans)) * (phase + 1) // config.phases
        group = spans[done:boundary]
        score_documents(model, book, group, config, sequence, seed)
        for start, end in group:
            book.settle(start, end)
        if boundary < len(spans):
            for start, end in group:
                x, y = book.release(start, end)
                learner.learn(x, y, (end - start) // sequence, config.ttt_lr, 1)
        done = boundary
    score_documents(model, book, spans[done:], config, sequence, seed)
    book.settle(0, book.targets)
    return book.totals()


def by_length(spans: list[Span]) -> list[Span]:
    """Long documents first; ties by position. A fixed order: lengths are known before anything is scored."""
    return sorted(spans, key=lambda span: (span[0] - span[1], span[0]))


def score_documents(
    model: Gpt, book: ScoreBook, spans: list[Span], config: EvalConfig, sequence: int, seed: int
) -> None:
    """Score this rank's documents in batches of similar length, each batch with adapters of its own."""
    mine = spans[rank_index() :: world_size()]
    for start in range(0, len(mine), config.lora_documents):
        adapt_batch(model, book, mine[start : start + config.lora_documents], config, sequence, seed)
    model.requires_grad_(True)


def adapt_batch(model: Gpt, book: ScoreBook, spans: list[Span], config: EvalConfig, sequence: int, seed: int) -> None:
    """Score a batch of documents chunk by chunk; after each chunk's scores are fixed, one AdamW step on that chunk.

    `A` is drawn from a generator that is reset for each batch and equal for every document: the order of documents
    cannot change a score.
    """
    model.requires_grad_(False)
    model.eval()
    loras = fresh_adapters(model, len(spans), config, seed)
    optimizer = torch.optim.AdamW(
        [p for slot in loras for p in slot.parameters()],
        lr=config.lora_lr,
        betas=(0.0, 0.999),
        eps=1e-10,
        weight_decay=0.0,
    )
    longest = max(end - start for start, end in spans)
    for first in range(0, longest, config.lora_chunk):
        with torch.no_grad():
            x_DT, y_DT, fresh_DT = gather(book, spans, first, config.lora_chunk, sequence, learning=False)
            nats_DT = token_nats(model, loras, x_DT, y_DT)
            for row, (start, end) in enumerate(spans):
                count = min(end - start - first, config.lora_chunk)
                if count > 0:
                    book.write(start + first, nats_DT[row][fresh_DT[row]][:count])
        if first + config.lora_chunk >= longest:
            break
        x_DT, y_DT, fresh_DT = gather(book, spans, first, config.lora_chunk, sequence, learning=True)
        optimizer.zero_grad(set_to_none=True)
        learned = token_nats(model, loras, x_DT, y_DT) * fresh_DT
        (learned.sum(dim=1) / fresh_DT.sum(dim=1).clamp_min(1)).sum().backward()
        optimizer.step()


def gather(
    book: ScoreBook, spans: list[Span], first: int, chunk: int, sequence: int, learning: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and the mask of the new targets, each (D, T): context of the own document, padded on the right.

    With `learning` the tokens come from what is already scored, or the book refuses.
    """
    begin = max(0, first + chunk - sequence)
    width = first + chunk - begin
    x_DT = torch.zeros(len(spans), width, dtype=torch.int64, device=book.device)
    y_DT, fresh_DT = torch.zeros_like(x_DT), torch.zeros_like(x_DT, dtype=torch.bool)
    for row, (start, end) in enumerate(spans):
        count = min(end - start, first + chunk) - begin
        if end - start <= first:
            continue
        if learning:
            x, y = book.release(start + begin, start + begin + count)
        else:
            x, y = book.window(start + begin, start + begin + count)
        x_DT[row, :count], y_DT[row, :count] = x, y
        fresh_DT[row, first - begin : count] = True
    return x_DT, y_DT, fresh_DT


def token_nats(model: Gpt, loras: list[LoraSlot], x_DT: Tensor, y_DT: Tensor) -> Tensor:
    """Loss of every position in nats, (D, T), with each row's own adapters."""
    logits = model.logits(x_DT, loras).float()
    return F.cross_entropy(logits.flatten(0, 1), y_DT.flatten(), reduction="none").view_as(y_DT)


def fresh_adapters(model: Gpt, count: int, config: EvalConfig, seed: int) -> list[LoraSlot]:
    """One slot per executed layer and one for the head; `A` equal for all documents, `B` zero."""
    width, hidden = model.config.width, model.config.kv_heads * model.config.head_dim
    sizes = {
        "q": (width, width),
        "k": (width, hidden),
        "v": (width, hidden),
        "o": (width, width),
        "mlp": (width, width),
    }
    slots = len(layer_plan(model.config, model.loops).executed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loras = [LoraSlot(sizes, 1, config.lora_rank, config.lora_alpha) for _ in range(slots)]
        loras.append(LoraSlot({"head": (width, model.config.vocab)}, 1, config.lora_rank, config.lora_alpha))
    for slot in loras:
        for table in (slot.a, slot.b):
            for parameter in table.values():
                parameter.data = parameter.data.expand(count, -1, -1).contiguous().to(model.tok_emb.device)
    return loras
