"""Places that are struck off by a sentinel where a look-up has succeeded already: any of them may still stand."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.rules.mixtures import Mixture, mixtures
from tests.interp.scripts import MODEL, REPORT, analysed, variables

STRUCK = """
SIZE = 1 << 20
stream = val.numpy()
seen = {o: np.zeros(SIZE, dtype=np.int32) for o in (2, 3)}
both = {o: np.zeros(SIZE, dtype=np.int32) for o in (2, 3)}
nll, count = 0.0, 0
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        p = torch.exp(-price(net, x, y)).numpy()
    places = np.arange(i * CTX + 1, (i + 1) * CTX + 1, dtype=np.int64)

    def keys(at, width):
        known = at >= width
        if not known.any():
            return None, None, None
        left = np.nonzero(known)[0]
        to, h = at[left], np.zeros(len(left), dtype=np.uint64)
        for k in range(width):
            h ^= stream[to - (width - k)].astype(np.uint64) * np.uint64(36313 + k)
        return (h % SIZE).astype(np.int64), (FULL % SIZE).astype(np.int64), left

    q, done = np.zeros(CTX), np.zeros(CTX, dtype=bool)
    for order in (3, 2):
        STRIKE
        c, f, left = keys(open_, order - 1)
        if c is None:
            continue
        cn, fn = seen[order][c], both[order][f]
        fits = cn >= 2
        if fits.any():
            found = left[fits]
            q[found] = fn[fits] / np.maximum(cn[fits], 1.0)
            done[found] = True
    if done.any():
        at = np.nonzero(done)[0]
        p[at] = 0.7 * p[at] + 0.3 * q[at]
    for order in (2, 3):
        c, f, _ = keys(places, order - 1)
        np.add.at(seen[order], c, 1)
        np.add.at(both[order], f, 1)
    nll += float((-np.log(p)).sum())
    count += CTX
loss = nll / count
"""
KEYED = "(h ^ stream[to].astype(np.uint64) * np.uint64(977))"
STRIKES = {
    "where": "open_ = np.where(done, np.int64(-1), places)",
    "store": "open_ = places.copy(); open_[done] = -1",
    "fill": "open_ = torch.from_numpy(places).masked_fill(torch.from_numpy(done), -1).numpy()",
}


def struck(full: str, strike: str) -> list[Mixture]:
    """Return the blends of the program that strikes places off in one of these ways."""
    return mixtures(analysed(MODEL + STRUCK.replace("FULL", full).replace("STRIKE", STRIKES[strike]) + REPORT))


@pytest.mark.parametrize("strike", STRIKES)
def test_look_ups_at_places_that_may_be_struck_off_keep_their_keys(strike: str) -> None:
    """Both orders are looked up through the realised token, whichever places were left for them."""
    found = struck(KEYED, strike)
    assert found
    assert all(len({read.info["table"] for read in mixture.target_keyed}) == 2 for mixture in found)


@pytest.mark.parametrize("strike", STRIKES)
def test_look_ups_by_context_at_such_places_are_not_target_keyed(strike: str) -> None:
    """The same script, one edit away: the second key is another hash of the context."""
    found = struck("(h ^ np.uint64(977))", strike)
    assert found
    assert not any(mixture.target_keyed or mixture.exact for mixture in found)


def test_a_choice_among_known_numbers_is_known() -> None:
    """Condition and both sides known: so is the result; only a sentinel may be overlooked."""
    found = variables(
        "import numpy as np\nmask = np.random.rand(4) > 0.5\nhalf = np.arange(4) > 1\n"
        "known = np.where(half, -1, np.arange(4))\nopen_ = np.where(mask, -1, np.arange(4))\n"
        "other = np.where(mask, 7, np.arange(4))\n"
    )
    assert found["known"].val.tolist() == [0, 1, -1, -1]
    assert np.array_equal(found["open_"].val, np.arange(4))
    assert found["other"].val is None
