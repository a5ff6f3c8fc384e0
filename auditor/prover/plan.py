"""Choose which tokens to change and where to fork. Pure functions of the data and of a located site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from auditor.prover import data
from auditor.prover.job import Branch, Miniature, Variant
from auditor.prover.locate import Site

CLUSTERS = (0.4, 0.65, 0.88)
"""Places of the single-token tests, as shares of the stream; each tests two neighbours."""
FURTHER = (0.3, 0.55, 0.74, 0.8)
"""Where else the vocabulary may be summed: mixtures that are no distribution at some tokens are one at others."""
SUFFIX = 0.5
"""From here on the suffix test changes every token."""
BLOCK = 0.1
"""From here up to the suffix the block test changes every token."""
EARLY = 32
"""The early test changes every token from here up to the block: half of the first sequence stays, and what was chosen
or measured on the first tokens, as calibration does, moves its scores."""
TWINS = (16, 8, 4)
"""Lengths of stretches that occur twice, longest first: their last tokens are the ones that n-gram caches of any order
hold in one place."""
ROOM = 200
"""Positions after a place among which one behind a known context is looked for."""
BATCH_GAP = 32
"""Moments between two logged entries from which on a forward pass lies between them, or half the largest gap of a small
model: windows of one batch were 7 to 9 apart in the scripts looked at, batches 24 to 436."""
CONTEXT = 4
"""Tokens before a position that must have occurred earlier for it to be a place where n-gram caches act."""


def suffix_start(mini: Miniature) -> int:
    """Return the first position of the suffix: an ordinary token well inside the stream."""
    return next(p for p in range(int(mini.stream.size * SUFFIX), mini.stream.size) if mini.stream[p] != data.BOS)


def suffix_changes(mini: Miniature, draw: int = 0) -> dict[int, int]:
    """Return another ordinary token for every position of the suffix but document starts; others by `draw`."""
    positions = range(suffix_start(mini), int(mini.stream.size))
    return data.other_tokens(mini.tokenizer, mini.stream, positions, 100 + mini.seed + 1000 * draw, alike_only=True)


def block_changes(mini: Miniature, draw: int = 0) -> dict[int, int]:
    """Return another ordinary token for a long stretch that ends where the suffix starts, but document starts."""
    positions = range(int(mini.stream.size * BLOCK), suffix_start(mini))
    return data.other_tokens(mini.tokenizer, mini.stream, positions, 300 + mini.seed + 1000 * draw, alike_only=True)


def early_changes(mini: Miniature) -> dict[int, int]:
    """Return another ordinary token for the stretch before the block, but document starts and the very first tokens."""
    positions = range(EARLY, int(mini.stream.size * BLOCK))
    return data.other_tokens(mini.tokenizer, mini.stream, positions, 500 + mini.seed, alike_only=True)


def single_changes(mini: Miniature) -> dict[int, int]:
    """Return position -> other token for the single-token tests: the last token, and pairs of neighbours.

    The pairs lie inside documents, where possible behind a context that was seen before.
    """
    last = int(mini.stream.size) - 1
    return changed_singly(mini, [last, *pairs_at(mini, CLUSTERS)])


def further_changes(mini: Miniature) -> dict[int, int]:
    """Return position -> other token for the first of more pairs, found in the same way."""
    return changed_singly(mini, pairs_at(mini, FURTHER)[::2])


def pairs_at(mini: Miniature, shares: tuple[float, ...]) -> list[int]:
    """Return pairs of neighbours inside documents, where possible behind a context that was seen before."""
    stream, last = mini.stream, int(mini.stream.size) - 1
    known = seen_before(stream)
    places: list[int] = []
    for share in shares:
        inside = [
            p
            for p in range(int(stream.size * share), min(int(stream.size * share) + ROOM, last - 1))
            if not (stream[p - 2 : p + 3] == data.BOS).any()
        ]
        first = next((p for p in inside if p in known), inside[0])
        places += [first, first + 1]
    return places


def twin_changes(mini: Miniature) -> dict[int, int]:
    """Return position -> other token for two far apart tokens that are alike, as are their contexts; none if none are.

    Each takes part in what a cache says of the other.
    """
    stream = mini.stream
    for length in TWINS:
        first: dict[tuple[int, ...], int] = {}
        for p in range(EARLY + length, int(stream.size) - 1):
            stretch = tuple(int(t) for t in stream[p - length + 1 : p + 1])
            if data.BOS not in stretch and p - first.setdefault(stretch, p) > stream.size // 2:
                return changed_singly(mini, [first[stretch], p])
    return {}


def changed_singly(mini: Miniature, places: list[int]) -> dict[int, int]:
    """Return another ordinary token for each of `places`, whatever the others are."""
    found: dict[int, int] = {}
    for p in places:
        found |= data.other_tokens(mini.tokenizer, mini.stream, range(p, p + 1), 7 * p + mini.seed)
    return found


def seen_before(stream: np.ndarray) -> set[int]:
    """Return the positions whose context has occurred twice before: where count models act."""
    seen: dict[tuple[int, ...], int] = {}
    found = set()
    for p in range(CONTEXT, int(stream.size)):
        context = tuple(int(t) for t in stream[p - CONTEXT : p])
        if seen.get(context, 0) >= 2 and data.BOS not in context:
            found.add(p)
        seen[context] = seen.get(context, 0) + 1
    return found


def late_changes(mini: Miniature) -> dict[int, int]:
    """Return the last two pairs of the single-token tests: where runs go on to the end, fewer have to do."""
    return dict(list(single_changes(mini).items())[-4:])


def sum_positions(mini: Miniature) -> list[int]:
    """Return the positions whose vocabulary is summed: of the single-token tests the last token, and one of each pair.

    A fork just before the batch that scores such a position is believed only if it gives the score that the
    single-token test, which forks before the evaluation, gave.
    """
    singles = single_changes(mini)
    return [p for p in reversed(singles) if p + 1 in singles or p == int(mini.stream.size) - 1]


def first_job(mini: Miniature) -> tuple[Variant, ...]:
    """Return the runs from the start that locate the metric: unchanged, and with the suffix changed."""
    return Variant("base"), Variant("suffix", suffix_changes(mini))


def causality_branches(mini: Miniature, site: Site, stream_order: bool) -> Iterator[Branch]:
    """Yield forks before the evaluation: the suffix, then single tokens.

    In stream order a branch may stop once its own token is scored: what was recorded before can no longer change.
    """
    start = suffix_start(mini)
    yield Branch("suffix", site.start, suffix_changes(mini), site.key, stop_at(site, start - 1, stream_order))
    yield from single_branches(site, single_changes(mini) if stream_order else late_changes(mini), stream_order)


def single_branches(site: Site, changes: dict[int, int], stream_order: bool) -> Iterator[Branch]:
    """Yield a fork before the evaluation for every one of `changes` (position -> token)."""
    for position, token in changes.items():
        stop = stop_at(site, position - 1, stream_order)
        yield Branch(f"single-{position}", site.start, {position: token}, site.key, stop)


def stop_at(site: Site, element: int, stream_order: bool) -> int:
    if not stream_order or element >= site.owners.size:
        return site.first + site.entries
    return site.first + int(site.owners[element]) + 1


def sum_branches(
    mini: Miniature, site: Site, own: dict[int, int], from_start: bool = False, beyond: int = 0, wide: bool = False
) -> Iterator[Branch]:
    """Yield, per position with known own element, one fork per token id before the batch that holds that element.

    `from_start` forks before the whole evaluation instead: dearer, and never too late. `wide` forks before the last
    of the widest gaps. They end `beyond` elements after that one.
    """
    for position, element in own.items():
        entry = int(site.owners[element])
        at = site.start if from_start else batch_start(site, entry, wide)
        stop = site.first + int(site.owners[min(element + beyond, site.owners.size - 1)]) + 1
        for token in range(mini.tokenizer.vocab):
            if token != int(mini.stream[position]):
                name = f"sum-{position}-{token}"
                yield Branch(name, at, {position: token}, site.key, stop)


def batch_start(site: Site, entry: int, wide: bool = False) -> int:
    """Return a moment before the tokens of the batch that ends in `entry` were fetched.

    Windows of one batch are logged one after another once all are computed; between batches lies a forward pass,
    many moments. The last entry before such a gap belongs to another batch. `wide`: more moments than that may lie
    between windows too, so only gaps half as wide as the widest count.
    """
    steps = np.diff(site.times)
    half = int(steps.max(initial=0)) / 2
    gaps = np.flatnonzero(steps[:entry] >= (half if wide else min(BATCH_GAP, half)))
    return int(site.times[int(gaps[-1])]) if gaps.size else site.start


def own_in_stream_order(positions: Iterable[int], site: Site) -> dict[int, int]:
    """Return position -> element for `positions` that are scored at all, for a scorer in stream order."""
    return {p: p - 1 for p in positions if p - 1 < site.values.size}


def values_until(values: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut two element arrays to their common length."""
    size = min(values.size, other.size)
    return values[:size], other[:size]
