"""Blends of a score with looked-up values: what of the key is the realised token."""

from __future__ import annotations

from auditor.rules.mixtures import Mixture, mixtures
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


def test_plain_scores_have_no_blend() -> None:
    """Without a table behind the number there is nothing to mix."""
    source = TEMPLATE.replace("KEY", "prev").replace("BUCKETS", "1024").replace("0.8 * p + 0.2 * q", "p")
    assert mixtures(analysed(MODEL + source + REPORT)) == []
