"""Blends of a score with looked-up values: what of the key is the realised token."""

from __future__ import annotations

import pytest

from auditor.rules.mixtures import Mixture, mixtures, unplaced
from tests.interp.scripts import MODEL, REPORT, analysed

TEMPLATE = """
table = np.zeros(BUCKETS, dtype=np.float32)
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        p = torch.exp(-price(net, x, y))
    prev, gold = x.reshape(-1), y.reshape(-1)
    key = KEY
    q = torch.from_numpy(table[key])
    mixed = 0.8 * p + 0.2 * q
    nll += -torch.log(mixed).sum()
    count += y.numel()
    np.add.at(table, key, 1)
loss = (nll / count).item()
"""


def blend(key: str) -> Mixture:
    """Return the one kind of blend of a program whose table is read at `key`."""
    source = TEMPLATE.replace("KEY", key).replace("BUCKETS", "1 << 20")
    found = mixtures(analysed(MODEL + source + REPORT))
    assert found
    return found[-1]


def test_a_hash_of_context_and_target_is_target_keyed() -> None:
    """The bucket is known only once the realised token is known."""
    made = blend("(prev * 36313 ^ gold * 27191) % (1 << 20)")
    assert made.target_keyed
    assert not made.context


def test_a_hash_of_the_context_alone_is_not_target_keyed() -> None:
    """The looked-up value is the same for any realised token."""
    made = blend("(prev * 36313 + 17) % (1 << 20)")
    assert made.context
    assert not made.target_keyed
    assert not made.exact


@pytest.mark.parametrize(
    "key",
    [
        "prev * 1024 + gold",
        "gold + 4096 * prev.long()",
        "(prev << 16) | gold",
        "(np.arange(1, CTX + 1) * 1024 + gold) + 1",
        "(prev * 31 % 4096) * 1024 + gold",
        "prev * 2048 * 2048 + prev * 2048 + gold",
        "prev * (val.max().item() + 1) + gold",
    ],
)
def test_a_row_major_index_is_a_row_and_a_column(key: str) -> None:
    """A flat array of counts per context is read at the realised token's column, as a table of two axes is."""
    made = blend(key)
    assert made.exact
    assert not made.target_keyed


@pytest.mark.parametrize(
    "key",
    [
        "(prev * 1024 + gold) % 65536",
        "(prev * 1024 + gold) & 65535",
        "prev * 1024 ^ gold",
        "prev * 31 + gold",
        "prev * 1024 + gold * 27191",
        "(prev * 1024 + gold) * 31",
        "(prev * 31 + gold) % 4096 * 1024 + gold",
        "(prev * 1024 + gold).remainder_(65536)",
        "(prev * (val.max().item() + 1) + gold) % 65536",
    ],
)
def test_what_is_no_row_major_index_stays_a_hash(key: str) -> None:
    """Where a sum is folded, or the factor leaves no room for a token, the bucket is one of both tokens."""
    assert blend(key).target_keyed


def test_plain_scores_have_no_blend() -> None:
    """Without a table behind the number there is nothing to mix."""
    source = TEMPLATE.replace("KEY", "prev").replace("BUCKETS", "1024").replace("0.8 * p + 0.2 * q", "p")
    assert mixtures(analysed(MODEL + source + REPORT)) == []


ROWS = """
ctx_counts = torch.zeros(1 << 20)
pair_counts = torch.zeros(1 << 20)
places, golds, probs = [], [], []
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        p = torch.exp(-price(net, x, y))
    places.append(torch.arange(1, CTX) + i * CTX)
    golds.append(y.reshape(-1)[1:])
    probs.append(p[1:])
place, gold, p = torch.cat(places), torch.cat(golds), torch.cat(probs)
order = place.argsort()
place, gold, p = place[order], gold[order], p[order]
keys = torch.zeros(val.numel(), dtype=torch.int64)
keys[1:] = (keys[1:] * 31 + val[:-1]) % (1 << 20)
every = torch.arange(1024)
nll, count = torch.zeros(()), torch.zeros(())
for start in range(0, place.numel(), 1 << 15):
    at, g, own = place[start : start + (1 << 15)], gold[start : start + (1 << 15)], p[start : start + (1 << 15)]
    key = keys[at]
    seen = ctx_counts[key] >= 1
    row = pair_counts[(key[seen, None] * 1009 + every[None, :]) % (1 << 20)]
    mine = row.gather(1, g[seen, None]).squeeze(1)
    mixed = (mine + 2.0 * own[seen]) / (row.sum(dim=1) + 2.0)
    nll += -torch.log(mixed).sum()
    count += g.numel()
    ctx_counts.scatter_add_(0, key, torch.ones_like(key, dtype=torch.float32))
    pair_counts.scatter_add_(0, (key * 1009 + g) % (1 << 20), torch.ones_like(g, dtype=torch.float32))
loss = (nll / count).item()
"""
"""Scores are stored, sorted by place, and mixed in a second loop with counts that are hashed for every token."""


def test_the_entry_of_a_row_that_is_hashed_for_every_token_is_exact() -> None:
    """The row is looked up by context and sums to one over the vocabulary; one entry of it is the realised token's."""
    found = mixtures(analysed(MODEL + ROWS + REPORT))
    assert found
    assert all(mixture.exact and not mixture.target_keyed for mixture in found)


def test_a_row_that_is_hashed_for_the_realised_token_alone_is_target_keyed() -> None:
    """The same script, one edit away: only the realised token's bucket is looked up."""
    alone = ROWS.replace("row = pair_counts[(key[seen, None] * 1009 + every[None, :]) % (1 << 20)]",
                         "row = pair_counts[(key[seen] * 1009 + g[seen]) % (1 << 20)]")  # fmt: skip
    alone = alone.replace("mine = row.gather(1, g[seen, None]).squeeze(1)", "mine = row")
    alone = alone.replace("row.sum(dim=1)", "ctx_counts[key[seen]]")
    assert any(mixture.target_keyed for mixture in mixtures(analysed(MODEL + alone + REPORT)))


BATCHES = """
SIZE = 1 << 16
single, pairs, totals = torch.zeros(1024), torch.zeros(TABLE), torch.zeros(SIZE)
nll, count = torch.zeros(()), torch.zeros(())
for first in range(0, chunks, 32):
    batch = list(range(first, min(first + 32, chunks)))
    x, y = torch.zeros(32, CTX, dtype=torch.int64), torch.zeros(32, CTX, dtype=torch.int64)
    for i, at in enumerate(batch):
        if torch.rand(()) < 0.5:
            shown = i
        x[i], y[i] = val[at * CTX : (at + 1) * CTX], val[at * CTX + 1 : (at + 1) * CTX + 1]
    with torch.no_grad():
        own = price(net, x, y).reshape(32, CTX)
    prev, gold = x.reshape(-1), y.reshape(-1)
    row = (prev * 36313) % SIZE
    alone = single[gold].reshape(32, CTX)
    pair = (pairs[KEY] / totals[row]).reshape(32, CTX)
    nll += -torch.stack([-own, alone.log(), pair.log()], -1).logsumexp(-1).sum()
    count += y.numel()
    single.scatter_add_(0, gold, torch.ones(32 * CTX))
    pairs.reshape(-1).scatter_add_(0, KEY, torch.ones(32 * CTX))
    totals.scatter_add_(0, row, torch.ones(32 * CTX))
loss = (nll / count).item()
"""
"""Batches of 32 windows that a loop fills, of which the sample follows four."""


def test_a_batch_is_judged_by_the_rows_that_were_followed() -> None:
    """Of most rows no place is known; the others show that an entry of a row is read."""
    found = analysed(MODEL + BATCHES.replace("KEY", "row * 1024 + gold").replace("TABLE", "SIZE * 1024") + REPORT)
    assert unplaced(found) is None
    assert all(mixture.exact and not mixture.target_keyed for mixture in mixtures(found))
    assert mixtures(found)


def test_a_hash_in_such_a_batch_is_target_keyed() -> None:
    """The same batch, one edit away: the bucket mixes in the realised token."""
    found = analysed(MODEL + BATCHES.replace("KEY", "(row ^ gold * 51647) % SIZE").replace("TABLE", "SIZE") + REPORT)
    assert any(mixture.target_keyed for mixture in mixtures(found))


LOSE = """
def last_row(y):
    made = torch.zeros(32 * CTX, dtype=torch.int64)
    made[-CTX:] = y[-1]
    return made
"""


def test_places_of_keys_that_are_not_known_leave_it_open() -> None:
    """Where the places of the scores are known and those of the keys are not, nothing is said of them."""
    lost = LOSE + BATCHES.replace("x.reshape(-1), y.reshape(-1)", "x.reshape(-1), last_row(y)")
    found = analysed(MODEL + lost.replace("KEY", "row * 1024 + gold").replace("TABLE", "SIZE * 1024") + REPORT)
    assert unplaced(found) is not None
    assert mixtures(found) == []


def test_what_is_written_to_a_table_in_another_layout_is_in_the_table() -> None:
    """A table of two axes is filled through its flat view and read at a hash of both tokens."""
    flat = TEMPLATE.replace("np.zeros(BUCKETS, dtype=np.float32)", "torch.zeros(1024, 1024)")
    flat = flat.replace("torch.from_numpy(table[key])", "table[(prev ^ gold) % 1024, key]").replace("KEY", "gold")
    flat = flat.replace("np.add.at(table, key, 1)", "table.view(-1).scatter_add_(0, key, torch.ones_like(key))")
    assert mixtures(analysed(MODEL + flat + REPORT))[-1].target_keyed
