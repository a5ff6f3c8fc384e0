"""Evaluation: coverage, order of scoring and learning, and equality over ranks; and the checks refuse illegal ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference_illegal as illegal
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_toys import VOCAB, book_of, everything_model, toy_tokens, trained_toy_model

from reference_impl.config import EvalConfig
from reference_impl.errors import LegalityError
from reference_impl.evaluate.lora_ttt import (
    adapt_batch,
    by_length,
    eval_val_lora,
    eval_val_phased,
    fresh_adapters,
    score_documents,
)
from reference_impl.evaluate.ngram import Counts, eval_val_ngram, mix, tilt
from reference_impl.evaluate.sliding import eval_val_sliding
from reference_impl.evaluate.ttt import ChunkLearner, epochs_for, eval_val_ttt
from reference_impl.evaluate.windows import documents, plan_chunks, plan_windows, share
from reference_impl.legality.checks import (
    check_causal,
    check_future_permutation,
    check_normalised,
    check_scores_define_distribution,
    check_single_pass,
)
from reference_impl.metric import Totals
from reference_impl.optim.newton_schulz import orthogonalise

SETTINGS = EvalConfig(
    batch=4, stride=4, ttt="sgd", ttt_chunk=64, ttt_lr=0.05, ttt_epochs=2, lora_chunk=8, lora_rank=2, lora_lr=0.05,
    lora_documents=3, phase_documents=4, ngram="dirichlet", ngram_order=2, ngram_weight=0.3,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 400), st.sampled_from([8, 16, 32]), st.sampled_from([1, 2, 4, 8]), st.sampled_from([32, 64, 96]))
def test_each_target_is_scored_exactly_once(targets: int, sequence: int, stride: int, chunk: int) -> None:
    """For any length windows partition the targets, stay inside the split, and chunks partition the windows."""
    windows = plan_windows(targets, sequence, stride)
    visits = np.zeros(targets, int)
    for window in windows:
        assert 0 <= window.start <= window.first < window.end <= targets and window.end - window.start <= sequence
        visits[window.first : window.end] += 1
    check_single_pass(visits)
    chunks = plan_chunks(windows, targets, chunk)
    assert sum(len(members) for members in chunks) == len(windows)
    for index, members in enumerate(chunks):
        assert all(index * chunk <= w.first and w.end <= (index + 1) * chunk for w in members)
    assert len(chunks) == -(-targets // chunk)


def test_documents_and_shares_partition() -> None:
    """Document spans cover all targets whether or not the stream starts with BOS; shares cover all items."""
    assert documents([0, 5, 9], 12) == [(0, 5), (5, 9), (9, 12)]
    assert documents([3, 12], 12) == [(0, 3), (3, 12)] and documents([], 4) == [(0, 4)]
    assert [i for rank in range(8) for i in range(*share(13, rank, 8))] == list(range(13))
    assert by_length([(0, 2), (2, 9), (9, 11)]) == [(2, 9), (0, 2), (9, 11)]


def test_the_book_enforces_the_order() -> None:
    """No scoring under gradients, no learning before the score, no second score, no partial total."""
    book = book_of(toy_tokens(33, 0))
    with pytest.raises(LegalityError, match="without gradients"):
        book.window(0, 8)
    with pytest.raises(LegalityError, match="before they were all scored"):
        book.release(0, 8)
    book.write(0, torch.ones(8))
    assert torch.equal(book.release(0, 8)[1], torch.from_numpy(toy_tokens(33, 0)[1:9]))
    with pytest.raises(LegalityError, match="before they were all scored"):
        book.release(0, 9)
    with pytest.raises(LegalityError, match="scored before"):
        book.write(7, torch.ones(2))
    with pytest.raises(LegalityError, match="expected 32 scored targets, found 8"):
        book.totals()
    with pytest.raises(LegalityError, match="with none or several"):
        book.settle(0, 16)


def _score(evaluation: Callable[..., Totals], **changes: object) -> Callable[[np.ndarray], np.ndarray]:
    """An evaluation of a fresh toy model as a function from tokens to scores."""

    def score(tokens: np.ndarray) -> np.ndarray:
        model = trained_toy_model(everything_model())
        book = book_of(tokens)
        evaluation(model, book, dataclasses.replace(SETTINGS, **changes))
        return book.nats_n.numpy().copy()

    return score


LEGAL = {
    "plain": _score(lambda m, b, c: eval_val_sliding(m, b, 16, 16, 4)),
    "sliding": _score(lambda m, b, c: eval_val_sliding(m, b, 16, 4, 4)),
    "sgd": _score(lambda m, b, c: eval_val_ttt(m, b, c, 16)),
    "muon": _score(lambda m, b, c: eval_val_ttt(m, b, c, 16), ttt="muon", entropy_epochs=True, entropy_high=4.0),
    "dirichlet": _score(lambda m, b, c: eval_val_ngram(m, b, c, 16)),
    "ppm": _score(lambda m, b, c: eval_val_ngram(m, b, c, 16), ngram="ppm"),
}


@pytest.mark.parametrize("name", LEGAL)
def test_stream_evaluations_are_causal(name: str) -> None:
    """Changing or permuting later tokens changes no earlier score by a single bit, adaptation included."""
    tokens = toy_tokens(209, 3)
    check_causal(LEGAL[name], tokens, VOCAB, [3, 100, 207])
    check_future_permutation(LEGAL[name], tokens, 130)


@pytest.mark.parametrize("name", ["sliding", "sgd", "ngram"])
def test_scores_define_a_distribution(name: str) -> None:
    """Trying every token of the vocabulary as the last target, the probabilities sum to one."""
    evaluation = {
        "sgd": lambda m, b, c: eval_val_ttt(m, b, c, 16),
        "sliding": lambda m, b, c: eval_val_sliding(m, b, 16, 4, 4),
        "ngram": lambda m, b, c: eval_val_ngram(m, b, c, 16),
    }[name]
    check_scores_define_distribution(
        _score(evaluation, ttt_chunk=16, ttt_epochs=1, stride=16), toy_tokens(35, 3), VOCAB
    )


@pytest.mark.parametrize("phased", [False, True])
def test_document_evaluations_are_causal_within_their_order(phased: bool) -> None:
    """Per document, later tokens change no earlier score; without phases documents do not depend on each other."""
    tokens = toy_tokens(180, 3)

    def score(stream: np.ndarray) -> np.ndarray:
        book = book_of(stream)
        model = trained_toy_model(everything_model())
        run = eval_val_phased if phased else eval_val_lora
        run(model, book, SETTINGS, 16, 1, 0)
        return book.nats_n.numpy().copy()

    base, changed = score(tokens), tokens.copy()
    changed[60] = (changed[60] + 7) % 50 + 5
    other = score(changed)
    span = next((s, e) for s, e in documents(np.flatnonzero(tokens == 1).tolist(), 179) if s <= 59 < e)
    assert (base[span[0] : 59] == other[span[0] : 59]).all() and base[60] != other[60]
    outside = np.r_[0 : span[0], span[1] : 179]
    if phased:
        assert (base[outside] != other[outside]).any()
    else:
        assert (base[outside] == other[outside]).all()


def test_order_of_documents_changes_no_score() -> None:
    """Fresh adapters per document: scoring the batch in another order gives each document the same nats."""
    tokens, results = toy_tokens(150, 3), []
    spans = documents(np.flatnonzero(tokens == 1).tolist(), 149)
    for order in (spans, spans[::-1]):
        book = book_of(tokens)
        score_documents(trained_toy_model(everything_model()), book, order, SETTINGS, 16, 0)
        results.append(book.nats_n)
    torch.testing.assert_close(results[0], results[1], atol=1e-5, rtol=1e-5)


def test_untrained_adapters_change_nothing_and_learning_does() -> None:
    """With B = 0 a document's first chunk scores as the base model does; later chunks differ once adapters learned."""
    tokens, model = toy_tokens(31, 5), trained_toy_model(everything_model(), 32)
    book = book_of(tokens)
    adapt_batch(model, book, [(0, 30)], dataclasses.replace(SETTINGS, lora_chunk=8), 32, 0)
    with torch.no_grad():
        ids = torch.from_numpy(tokens)
        plain = F.cross_entropy(
            trained_toy_model(everything_model(), 32).logits(ids[None, :30])[0], ids[1:], reduction="none"
        )
    torch.testing.assert_close(book.nats_n[:8], plain[:8], atol=1e-5, rtol=1e-5)
    assert (book.nats_n[16:] - plain[16:]).abs().max() > 1e-3
    loras = fresh_adapters(model, 2, SETTINGS, 0)
    assert len(loras) == 4 + 2 + 1 and torch.equal(loras[0].a["q"][0], loras[0].a["q"][1])


def test_learning_rate_zero_equals_the_sliding_window() -> None:
    """Adaptation with rate 0 gives the frozen scores exactly, so nothing but learning separates the two paths."""
    tokens = toy_tokens(209, 3)
    frozen = _score(lambda m, b, c: eval_val_ttt(m, b, c, 16), ttt_lr=0.0)(tokens)
    np.testing.assert_allclose(frozen, LEGAL["sliding"](tokens), atol=1e-5)


def test_the_last_chunk_is_not_learned_from() -> None:
    """A split of one chunk leaves the weights untouched; a split of two changes them."""
    for count, same in ((60, True), (100, False)):
        model = trained_toy_model(everything_model())
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        eval_val_ttt(model, book_of(toy_tokens(count, 3)), SETTINGS, 16)
        assert all(torch.equal(before[n], t) for n, t in model.state_dict().items()) is same


def test_adaptation_helps_on_a_shifted_stream() -> None:
    """Learning is real: on a stream that the toy model never saw, adapted scores beat frozen ones."""
    tokens = toy_tokens(600, 9)
    assert LEGAL["sgd"](tokens).mean() < LEGAL["sliding"](tokens).mean() - 0.05


def test_entropy_epochs_follow_the_settled_chunk() -> None:
    """Above the high threshold one more pass, below the low one fewer, otherwise the base."""
    config = EvalConfig(entropy_epochs=True, ttt_epochs=3)
    assert [epochs_for(Totals(loss * 10, 10, 10), config) for loss in (2.2, 2.0, 1.7)] == [4, 3, 2]
    assert epochs_for(Totals(99.0, 10, 10), EvalConfig(ttt_epochs=3)) == 3


def test_muon_adaptation_step_by_hand() -> None:
    """Matrices move by lr times the orthogonalised gradient, vectors by lr times the gradient."""
    model = trained_toy_model(everything_model())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    learner = ChunkLearner(model, dataclasses.replace(SETTINGS, ttt="muon"), 16)
    ids = torch.from_numpy(toy_tokens(17, 3))
    reference = trained_toy_model(everything_model())
    reference(ids[None, :16], ids[None, 1:]).backward()
    norm = torch.stack([p.grad.norm() for p in reference.parameters() if p.grad is not None]).norm()
    learner.learn(ids[:16], ids[1:], 1, 0.1, 1)
    for name, parameter in model.named_parameters():
        gradient = reference.get_parameter(name).grad
        gradient = torch.zeros_like(parameter) if gradient is None else gradient * min(1.0, 1.0 / (float(norm) + 1e-6))
        step = orthogonalise(gradient, "jordan", 3) if gradient.ndim >= 2 else gradient
        torch.testing.assert_close(parameter.detach(), before[name] - 0.1 * step, atol=2e-4, rtol=1e-3)


def test_ngram_distributions_sum_to_one() -> None:
    """PPM-C, Dirichlet, tilt and mixture are distributions over the whole vocabulary, seen or unseen context."""
    counts = Counts(VOCAB, 3)
    counts.learn(toy_tokens(400, 1).tolist(), [])
    prefixes = [[], [5], [9, 14, 19], toy_tokens(400, 1)[:7].tolist(), [63, 63, 63]]
    rows = [counts.ppm(p) for p in prefixes] + [counts.dirichlet(p, 4.0) for p in prefixes]
    rows += [tilt(row, 3, 2.0) for row in rows] + [mix(rows[0], rows[5], 0.3)]
    check_normalised(np.stack(rows), 1e-9)
    assert counts.ppm(prefixes[3]).max() > 0.2
    with pytest.raises(LegalityError, match="C2"):
        check_normalised(np.stack([rows[0] * 1.01]))


def test_counts_continue_across_chunks() -> None:
    """Counting a stream in two pieces with its history equals counting it at once."""
    stream = toy_tokens(100, 4).tolist()
    whole, parts = Counts(VOCAB, 2), Counts(VOCAB, 2)
    whole.learn(stream, [])
    parts.learn(stream[:40], [])
    parts.learn(stream[40:], stream[:40])
    assert whole.tables == parts.tables


def test_two_ranks_score_as_one(on_one_rank: dict[str, Any], on_two_ranks: list[dict[str, Any]]) -> None:
    """Each evaluation gives the same total nats, tokens and bytes on one and on two ranks; ranks agree."""
    one, two = on_one_rank["evaluate"], [report["evaluate"] for report in on_two_ranks]
    assert two[0] == two[1]
    for kind, (nats, tokens, charged) in one.items():
        assert (tokens, charged) == two[0][kind][1:] == (329, 329)
        assert nats == pytest.approx(two[0][kind][0], rel=1e-4), kind


@pytest.mark.parametrize("evaluation", [illegal.train_then_score, illegal.two_pass_rescore, illegal.peeking_network])
def test_checks_refuse_evaluations_that_see_the_future(evaluation: Callable[[np.ndarray], np.ndarray]) -> None:
    """Training first, rescoring with a full cache, and a network that peeks all fail the causality check."""
    with pytest.raises(LegalityError, match="C1/C3"):
        check_causal(evaluation, toy_tokens(100, 3), VOCAB, [90])


@pytest.mark.parametrize("evaluation", [illegal.target_keyed_ratio, illegal.target_gated_hint])
def test_checks_refuse_scores_that_are_no_distribution(evaluation: Callable[[np.ndarray], np.ndarray]) -> None:
    """Backward-looking is not enough: looked at from outside, the probabilities do not sum to one."""
    prefix = np.tile(toy_tokens(12, 3), 4)[:47]
    with pytest.raises(LegalityError, match="C2"):
        check_scores_define_distribution(evaluation, prefix, VOCAB)


def test_single_pass_check_counts_visits() -> None:
    """Twice or never scored targets are refused."""
    for visits in ([1, 2, 1], [1, 0, 1]):
        with pytest.raises(LegalityError, match="C4"):
            check_single_pass(np.array(visits))
