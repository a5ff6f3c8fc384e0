"""Scores that are stored in arrays in a first pass and mixed with look-ups for the whole stream in a second."""

from __future__ import annotations

import pytest

from auditor.interp.leaks import Way
from auditor.rules.mixtures import mixtures
from tests.interp.scripts import MODEL, REPORT, analysed, variables

STORED = """
SIZE = 1 << 20
PRIMES = np.array([36313, 27191, 51647], dtype=np.int64)
probs, places = [], []
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        probs.append(torch.exp(-price(net, x, y)).numpy())
    places.append(np.arange(i * CTX + 1, (i + 1) * CTX + 1, dtype=np.int64))
own, at = np.concatenate(probs), np.concatenate(places)

def keys(stream, order):
    first, n = order - 1, len(stream) - (order - 1)
    h = np.zeros(n, dtype=np.int64)
    for k in range(order - 1):
        h ^= stream[k : k + n].astype(np.int64) * PRIMES[k]
    return h & (SIZE - 1), (FULL) & (SIZE - 1), first

seen = {o: np.zeros(SIZE, dtype=np.int32) for o in (2, 3)}
both = {o: np.zeros(SIZE, dtype=np.int32) for o in (2, 3)}
for order in (2, 3):
    c, f, _ = keys(SOURCE.numpy(), order)
    seen[order] += np.bincount(c, minlength=SIZE)
    both[order] += np.bincount(f, minlength=SIZE)

def shares(stream):
    found, matched = np.zeros(len(stream), dtype=np.float32), np.zeros(len(stream), dtype=bool)
    for order in (3, 2):
        c, f, first = keys(stream, order)
        cn, fn = seen[order][c], both[order][f]
        fits = (cn >= 2) & (fn > 0) & ~matched[first:]
        if not np.any(fits):
            continue
        place = np.where(fits)[0] + first
        found[place] = fn[fits] / np.maximum(cn[fits], 1.0)
        matched[place] = True
    return found

q = shares(val.numpy())[at]
mixed = 0.7 * own + 0.3 * q
loss = (-np.log(mixed)).sum() / len(at)
"""
"""The tables are filled with a whole stream; shares are looked up for the whole validation stream, by place."""
KEYED = "h ^ stream[first:].astype(np.int64) * PRIMES[2]"


def script(full: str, source: str) -> str:
    return MODEL + STORED.replace("FULL", full).replace("SOURCE", source) + REPORT


def test_shares_of_the_whole_stream_keep_what_they_were_looked_up_with() -> None:
    """Found through its target, and in a table that had held every token by then."""
    found = analysed(script(KEYED, "val"))
    assert mixtures(found)
    assert all(mixture.target_keyed for mixture in mixtures(found))
    assert Way.CACHE in {leak.way for leak in found.leaks}


def test_a_table_of_the_training_stream_holds_no_scored_token() -> None:
    """The same script, one edit away: what is counted are training tokens."""
    found = analysed(script(KEYED, "train"))
    assert all(mixture.target_keyed for mixture in mixtures(found))
    assert not found.leaks


def test_shares_by_context_alone_are_not_target_keyed() -> None:
    """The same script, one edit away: the second key is another hash of the context."""
    found = mixtures(analysed(script("h ^ 977", "val")))
    assert found
    assert not any(mixture.target_keyed or mixture.exact for mixture in found)


BUFFERED = (
    STORED.replace("probs, places = [], []", "probs, at, n = [], np.zeros(val.numel(), dtype=np.int64), 0")
    .replace(
        "    places.append(np.arange(i * CTX + 1, (i + 1) * CTX + 1, dtype=np.int64))\n",
        "    end = n + CTX\n    at[n:end] = np.arange(i * CTX + 1, (i + 1) * CTX + 1, dtype=np.int64)\n    n = end\n",
    )
    .replace("own, at = np.concatenate(probs), np.concatenate(places)", "own, at = np.concatenate(probs), at[:n]")
)


COUNTED = BUFFERED.replace("    end = n + CTX\n    at[n:end]", "    at[n : n + CTX]").replace(
    "    n = end\n", "    n += CTX\n"
)


@pytest.mark.parametrize("stored", [BUFFERED, COUNTED])
def test_places_in_a_buffer_of_the_whole_stream_are_known(stored: str) -> None:
    """The same program with the places written into one array, of which the part up to a counter is taken."""
    found = analysed(MODEL + stored.replace("FULL", KEYED).replace("SOURCE", "val") + REPORT)
    assert mixtures(found)
    assert all(mixture.target_keyed for mixture in mixtures(found))
    assert Way.CACHE in {leak.way for leak in found.leaks}


def test_a_slice_of_the_stream_up_to_an_unknown_place_is_not_the_whole_stream() -> None:
    """Only an array that was made empty is taken as far as it has been filled."""
    found = variables(
        MODEL + "n, kept = 0, np.zeros(val.numel())\nfor i in range(chunks):\n    x, y = rows(val, i)\n"
        "    kept[n : n + CTX] = price(net, x, y).numpy()\n    n += CTX\nscored, read = kept[:n], val[:n]\n"
    )
    assert found["scored"].pos.size < 5 * 1024
    assert found["scored"].pos.min() == 1
    assert found["read"].pos is None


def test_what_an_array_holds_is_not_known_again_after_something_unknown_was_written() -> None:
    """Whole numbers make a large new array known, but not one in which something else stands."""
    found = variables(
        "import numpy as np, os\nnew, mixed = np.zeros(4_000_000), np.zeros(4_000_000)\nmixed[:2] = os.getpid()\n"
        "new[2:4] = np.arange(2) + 5\nmixed[2:4] = np.arange(2) + 5\n"
    )
    assert found["new"].val[2:4].tolist() == [5, 6]
    assert found["mixed"].val is None
