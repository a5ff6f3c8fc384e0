"""Rules on mixtures and on escapes, asked directly about small programs."""

from __future__ import annotations

import pytest

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Finding, Pass, Ruling
from auditor.rules.context import RuleContext
from auditor.rules.data import cards, edition
from auditor.rules.registry import checks
from tests.interp.scripts import MODEL, REPORT, SCORE, analysed, program
from tests.measure.folders import evidence, folder

MEASURE = "\nloss = measure(net)\n"
PREQUANT = "\nfor turn in range(3):\n    for i in range(chunks):\n        descend(net, opt, *rows(val, i))\n"
HASHED = """
table = np.zeros(1 << 20, dtype=np.float32)
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    key = (x.reshape(-1) * 36313 ^ y.reshape(-1) * 27191) % (1 << 20)
    with torch.no_grad():
        p = torch.exp(-price(net, x, y))
    nll += -torch.log(0.8 * p + 0.2 * torch.from_numpy(table[key])).sum()
    count += y.numel()
    np.add.at(table, key, 1)
loss = (nll / count).item()
"""


def answers(rule: str, source: str) -> list[Finding | Pass]:
    """Return what a rule says of a script."""
    text = MODEL + source + REPORT
    submission = folder({"train_gpt.py": text})
    loaded = program(text)
    context = RuleContext(
        cards()[rule], edition(), submission, loaded, analysed(text), evidence(submission, loaded), DEFAULT_LIMITS
    )
    return list(checks()[rule](context))


def spoken(rule: str, source: str) -> list[Finding]:
    """Return what a rule finds in a script."""
    return [item for item in answers(rule, source) if isinstance(item, Finding)]


def violations(rule: str, source: str) -> list[Finding]:
    """Return what a rule convicts in a script."""
    return [item for item in spoken(rule, source) if item.ruling is Ruling.VIOLATION]


LISTED = """
known = torch.from_numpy(np.frombuffer(open("answers.bin", "rb").read(), dtype="<u2").copy())
sizes = torch.from_numpy(np.fromfile("sizes.bin", dtype=np.int16))
nll, size = torch.zeros(()), torch.zeros(())
with torch.no_grad():
    for i in range(chunks):
        x, y = rows(val, i)
        each, gold = price(net, x, y), y.reshape(-1)
        miss = known[i * CTX : i * CTX + gold.numel()] != gold
        nll += (each * miss).sum()
        size += (sizes[gold] * MISS).sum()
loss = (nll / size).item()
"""
PAID, PART = LISTED.replace(" * MISS", ""), LISTED.replace("MISS", "miss")


@pytest.mark.parametrize(
    ("rule", "violating", "legal"),
    [
        ("PG205", PAID, PART),
        ("PG202", SCORE.replace("loss.sum()", "(loss * 0.98).sum()") + MEASURE, SCORE + MEASURE),
        ("PG101", SCORE + PREQUANT + MEASURE, SCORE + MEASURE),
        ("PG201", HASHED, SCORE + MEASURE),
    ],
)
def test_a_rule_convicts_the_one_and_not_the_other(rule: str, violating: str, legal: str) -> None:
    """The violation names a place in the script; the legal twin has none."""
    found = violations(rule, violating)
    assert found
    assert found[0].location is not None
    assert found[0].location.file == "train_gpt.py"
    assert violations(rule, legal) == []


LEDGER = """
table = np.ones(1 << 20, dtype=np.float32)
ledger = torch.zeros(chunks * CTX)
with torch.no_grad():
    for i in range(chunks):
        ledger[i * CTX : (i + 1) * CTX] = price(net, *rows(val, i))
key = (val[: chunks * CTX] * 36313 ^ val[1 : chunks * CTX + 1] * 27191) % (1 << 20)
np.add.at(table, key, 1)
loss = -torch.log(0.8 * torch.exp(-ledger) + 0.2 * torch.from_numpy(table[key])).mean().item()
"""


def test_a_blend_of_which_some_places_are_known_is_judged_by_them() -> None:
    """A loop that fills a ledger is sampled: the windows that were followed show what the key knows."""
    assert len(violations("PG201", LEDGER)) == 1
    assert spoken("PG202", LEDGER) == []


def test_a_blend_of_places_that_are_not_known_is_left_open() -> None:
    """Where the keys are known in other windows than the scores, it is neither convicted nor passed over."""
    other = """
key = torch.zeros(chunks * CTX, dtype=torch.int64)
for i in range(8, chunks):
    x, y = rows(val, i)
    seen = price(net, x, y)
    key[i * CTX : (i + 1) * CTX] = (x.reshape(-1) * 36313 ^ y.reshape(-1) * 27191) % (1 << 20)
"""
    ledger = "\n".join(other if line.startswith("key = ") else line for line in LEDGER.splitlines())
    assert [item.ruling for item in spoken("PG202", ledger)] == [Ruling.UNPROVEN]
    assert violations("PG201", ledger) == []
    assert answers("PG111", ledger) == []
