"""The judge of orders: it convicts whatever the order of scoring is, and never a scorer that keeps to one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.prover import causality

N = 256
POSITIONS = (80, 81, 150, 151, 230, 231)


def scores(stream: np.ndarray, order: list[int], leak: int = 0) -> np.ndarray:
    """Score targets in `order`: a score depends on its own token, those scored before, and `leak` later ones."""
    out, state = [], 0.0
    for place, target in enumerate(order):
        ahead = sum(float(stream[t + 1]) for t in order[place + 1 : place + 1 + leak])
        out.append(float(stream[target + 1]) + 1e-4 * state + 1e-5 * ahead)
        state = 0.9 * state + float(stream[target + 1])
    return np.array(out)


def probes(order: list[int], leak: int = 0) -> tuple[np.ndarray, list[causality.Probe]]:
    stream = np.random.default_rng(0).integers(4, 32, N + 1)
    base = scores(stream, order, leak)
    found = []
    for p in POSITIONS:
        other = stream.copy()
        other[p] = other[p] + 1
        found.append(causality.compare(p, int(stream[p]), int(other[p]), base, scores(other, order, leak)))
    return base, found


def test_stream_order_holds() -> None:
    """A scorer that goes through the stream and learns only afterwards is invariant in stream order."""
    base, found = probes(list(range(N)))
    assert causality.judge(found, base, N, True, True).order == "stream"


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_order_of_whole_documents_holds(chooser) -> None:  # type: ignore[no-untyped-def]
    """Documents scored in any order, each before it is learnt from, are never called a leak."""
    documents = [list(range(a, a + 32)) for a in range(0, N, 32)]
    chooser.shuffle(documents)
    base, found = probes([t for d in documents for t in d])
    judged = causality.judge(found, base, N, True, True)
    assert judged.witness is None and judged.holds


def test_learning_everything_first_is_a_leak() -> None:
    """Two far apart tokens that both move the first score prove a leak without any order being assumed."""
    base, found = probes(list(range(N)), leak=N)
    judged = causality.judge(found, base, N, True, True)
    assert judged.witness is not None and judged.holds is False


def test_first_scores_say_nothing_where_they_are_not_logged_in_time_order() -> None:
    """Scores added up later, in text order or any other, and neighbours that may not be scored, convict nobody."""
    base, found = probes(list(range(N)), leak=N)
    judged = causality.judge(found, base, N, False, True)
    assert judged.witness is None and judged.holds is None
    neighbours = [causality.compare(p, 1, 2, base, np.r_[base[: p // 8], base[p // 8 :] + 1]) for p in POSITIONS]
    assert causality.judge(neighbours, base, N, True, True).witness is not None
    assert causality.judge(neighbours, base, N, True, False).witness is None


def blocks(order: list[int], effect: float) -> tuple[np.ndarray, causality.Probe, causality.Probe]:
    """Return the scores, and runs with two separate stretches of tokens changed; `effect` is that of learning first."""
    stream = np.random.default_rng(0).integers(4, 32, N + 1)

    def settled(tokens: np.ndarray) -> np.ndarray:
        weights = np.float32(1.0) + np.float32(effect) * np.float32(tokens.mean())
        return (scores(tokens, order).astype(np.float32) * weights).astype(np.float64)

    found = []
    for start, end in ((26, 128), (128, N + 1)):
        other = stream.copy()
        other[start:end] += 1
        found.append(causality.compare(start, -1, -1, settled(stream), settled(other)))
    return settled(stream), found[0], found[1]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_blocks_convict_no_order_of_scoring(chooser) -> None:  # type: ignore[no-untyped-def]
    """Tokens scored in any order whatever: no two stretches move the same first score."""
    order = list(range(N))
    chooser.shuffle(order)
    base, block, suffix = blocks(order, 0.0)
    assert causality.shared_by_blocks(block, suffix, base) is None


def test_blocks_convict_what_was_learnt_first_however_faintly() -> None:
    """One token moves nothing in float32, a stretch of them does."""
    base, block, suffix = blocks(list(range(N)), 1e-6)
    found = causality.shared_by_blocks(block, suffix, base)
    assert found is not None and found.element == 0 and found.after != found.before


def test_looking_a_few_tokens_ahead_is_not_stream_order() -> None:
    """A leak that reaches 40 tokens ahead is never called clean in stream order; sums decide about it."""
    base, found = probes(list(range(N)), leak=40)
    judged = causality.judge(found, base, N, True, True)
    assert judged.witness is None and judged.order == "own"


def test_a_choice_flipped_by_the_suffix_is_a_leak() -> None:
    """With stream order established, a suffix that moves an earlier score convicts, and one that does not is silent."""
    base = np.arange(1.0, 11.0)
    other = base.copy()
    other[5:] += 1
    clean = causality.compare(6, -1, -1, base, other)
    assert causality.judge_suffix(6, clean, base) is None
    other[2] += 1
    witness = causality.judge_suffix(6, causality.compare(6, -1, -1, base, other), base)
    assert witness is not None and witness.element == 2


def test_a_changing_number_of_scores_is_undecided() -> None:
    """When changing a token changes how many scores there are, nothing is concluded."""
    base = np.arange(1.0, 11.0)
    found = [causality.compare(p, 1, 2, base, base[:-1] + 1) for p in (2, 3, 6, 7)]
    assert causality.judge(found, base, 10, True, True).holds is None


def test_learning_each_chunk_before_scoring_it_is_a_leak() -> None:
    """Neighbours inside a chunk that both move the chunk's first score are convicted; other layouts are not."""
    stream = np.random.default_rng(0).integers(4, 32, N + 1).astype(float)

    def chunked(tokens: np.ndarray) -> np.ndarray:
        parts = tokens[1:].reshape(-1, 32)
        return (parts + 1e-3 * parts.sum(axis=1, keepdims=True)).reshape(-1)

    found = []
    for p in POSITIONS:
        other = stream.copy()
        other[p] += 1
        found.append(causality.compare(p, 0, 1, chunked(stream), chunked(other)))
    judged = causality.judge(found, chunked(stream), N, True, True)
    assert judged.witness is not None and judged.witness.kind == "shared by neighbours"


def test_a_score_moved_before_its_own_is_a_leak() -> None:
    """Where sums tell which score is a token's own, an earlier one that moves convicts."""
    assert causality.earlier_than_own(9, 4, 7, (8,)) is not None
    assert causality.earlier_than_own(9, 4, 8, (8, 20)) is None
    assert causality.earlier_than_own(9, 4, 7, ()) is None


def finished(stream: np.ndarray, order: list[int], shift: int = 0, cache: bool = False) -> np.ndarray:
    """Score targets in `order` and give the scores as one array by place, `shift` further on; `cache` counts all."""
    out, state = np.zeros(N), 0.0
    for target in order:
        known = float(np.count_nonzero(stream == stream[target + 1])) if cache else 0.0
        out[target] = 0.5 * float(stream[target]) + float(stream[target + 1]) + 1e-4 * state + 1e-3 * known
        state = 0.9 * state + float(stream[target + 1])
    return np.roll(out, shift)


def twins(order: list[int], shift: int = 0, cache: bool = False):  # type: ignore[no-untyped-def]
    """Return what `known_by_each_other` says of two far apart tokens that are alike."""
    stream = np.random.default_rng(0).integers(4, 32, N + 1)
    stream[200] = stream[40]
    base = finished(stream, order, shift, cache)
    found = []
    for p in (40, 200, *POSITIONS):
        other = stream.copy()
        other[p] = 33
        found.append(causality.compare(p, int(stream[p]), 33, base, finished(other, order, shift, cache)))
    one, other_one, *rest = found
    return causality.known_by_each_other(one, other_one, rest, base)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 32]))
def test_whatever_the_order_in_time_no_two_scores_know_of_each_other(chooser, length) -> None:  # type: ignore[no-untyped-def]
    """Documents, or single tokens, scored in any order, each before it is learnt from, and put in place."""
    documents = [list(range(a, a + length)) for a in range(0, N, length)]
    chooser.shuffle(documents)
    assert twins([t for d in documents for t in d]) is None


def test_two_scores_that_know_of_each_other_are_a_leak() -> None:
    """A cache that counted all tokens first shows in a finished array, if that is where tokens stand in text order."""
    found = twins(list(range(N)), cache=True)
    assert found is not None and found.kind == "each other's scores" and (found.position, found.element) == (40, 199)
    assert twins(list(range(N)), shift=1, cache=True) is None
    assert twins(list(range(N)), shift=-1, cache=True) is None
