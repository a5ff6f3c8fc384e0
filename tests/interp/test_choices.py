"""Losses that are counted because they are the lower ones: a store in a branch that compared them."""

from __future__ import annotations

import textwrap

import pytest

from auditor.interp.choices import by_own_value
from tests.interp.scripts import MODEL, REPORT, analysed

TURNS = """
import time
nets = [net, Net(), Net()]
begun = time.time()

class Record:
    pass

def lower(first, second):
    if first.item() < second.item():
        return first
    return second

def measure():
    total, count = torch.zeros(()), torch.zeros(())
    for i in range(chunks):
        x, y = rows(val, i)
        best, least, entry, kept = torch.zeros(()), float("inf"), {}, []
        record, each = Record(), [torch.zeros(()) for _ in range(2)]
        record.best, lowest = best, torch.full((1, CTX), 100.0)
        for turn in range(3):
            with torch.no_grad():
                losses = price(nets[turn], x, y).view(1, CTX)
                trained = price(nets[turn], *rows(train, i)).mean()
            cur = losses.sum()
            avg = cur.item() / CTX
KEEP
        total += COUNTED
        count += y.numel()
    return (total / count).item()
loss = measure()
"""
"""Each text is scored by three networks in turn; what is kept of the three is counted."""


def found(source: str) -> bool:
    """Say whether the number is made of losses that were chosen by their own value."""
    made = analysed(MODEL + source + REPORT)
    assert made.incomplete == ()
    assert made.composition is not None
    assert made.composition.scores
    return any(True for _ in by_own_value(made.composition, made.trace.learned))


def turns(keep: str, counted: str = "best") -> str:
    """Return the script that keeps losses in this way."""
    lines = textwrap.indent(textwrap.dedent(keep).strip("\n"), " " * 12)
    return TURNS.replace("KEEP", lines).replace("COUNTED", counted)


CHOSEN = {
    "a name": ("if avg < least:\n    least, best = avg, cur", "best"),
    "the sign turned round": ("if not least <= avg:\n    least = avg\n    best = cur", "best"),
    "copied into": ("if avg < least:\n    least = avg\n    best.copy_(cur)", "best"),
    "an element": ("if avg < least:\n    least = avg\n    each[1].copy_(cur)", "each[1]"),
    "an element that is replaced": ("if avg < least:\n    least = avg\n    each[1] = cur.clone()", "each[1]"),
    "an entry": ("if avg < entry.get('least', 9e9):\n    entry = {'least': avg, 'best': cur}", "entry['best']"),
    "an attribute": ("if avg < least:\n    least = avg\n    record.best = cur", "record.best"),
    "a flag beside": ("if turn >= 0 and avg < least:\n    least = avg\n    best = cur", "best"),
    "an expression": ("best = cur if turn == 0 or cur < best else best", "best"),
    "the rest of a turn": ("if turn and avg >= least:\n    continue\nleast, best = avg, cur", "best"),
    "where it stops": ("if turn and avg > least:\n    break\nleast, best = avg, cur", "best"),
    "a list": ("if avg < least:\n    least = avg\n    kept.append(cur)", "kept[-1]"),
    "a function": ("best = cur if turn == 0 else lower(cur, best)", "best"),
    "by rows": (
        "if turn:\n    lowest = torch.where(losses < lowest, losses, lowest)\nelse:\n    lowest = losses",
        "lowest.sum()",
    ),
    "under a mask": ("low = losses < lowest\nlowest[low] = losses[low]", "lowest.sum()"),
    "the lower of two tensors": ("best = torch.minimum(best, cur) if turn else cur", "best"),
    "the first by a key": ("kept.append((avg, cur))", "min(kept, key=lambda one: one[0])[1]"),
    "the first of pairs": ("kept.append((avg, cur))", "min(kept)[1]"),
    "the other side": ("if turn and avg >= least:\n    pass\nelse:\n    least, best = avg, cur", "best"),
    "the lowest of all": ("kept.append(cur)", "torch.stack(kept).min()"),
    "the lowest number of all": ("kept.append(avg)", "min(kept) * CTX"),
    "the lower of two": ("least = min(least, avg)", "least * CTX"),
    "added on either side": (
        "if turn and avg < least:\n    total += cur\nelse:\n    total += best\nleast, best = avg, cur",
        "0",
    ),
}
TAKEN = {
    "the last": ("best = cur", "best"),
    "the first": ("if turn == 0:\n    best = cur", "best"),
    "the lowest is only logged": ("best = cur\nif avg < least:\n    least = avg\n    print(f'lowest {least}')", "best"),
    "the highest is only logged": ("best = cur\nleast = max(least, avg)\nprint(f'highest {least}')", "best"),
    "by the loss of training text": ("if trained.item() < least:\n    least = trained.item()\n    best = cur", "best"),
    "where it is finite": ("if torch.isfinite(cur):\n    best = cur", "best"),
    "where it is a number": ("if math.isfinite(avg):\n    best.copy_(cur)", "best"),
    "where it is sane": ("if avg < 100.0:\n    best = cur", "best"),
    "in time": ("if time.time() - begun < 600:\n    best = cur", "best"),
    "the first by what is no loss": ("kept.append((turn, cur))", "min(kept, key=lambda one: one[0])[1]"),
    "while learning goes down": ("best = cur\nif turn and avg > least:\n    break\nleast = avg", "best"),
}


@pytest.mark.parametrize(("keep", "counted"), CHOSEN.values(), ids=CHOSEN.keys())
def test_a_loss_that_is_kept_for_being_lower_is_chosen_by_its_own_value(keep: str, counted: str) -> None:
    """Of three losses of one text that one is counted which a comparison of them preferred."""
    assert found(turns(keep, counted))


@pytest.mark.parametrize(("keep", "counted"), TAKEN.values(), ids=TAKEN.keys())
def test_a_loss_that_is_taken_whatever_it_is_is_not_chosen(keep: str, counted: str) -> None:
    """The same loop, one edit away: no comparison of the losses says which of them is counted."""
    assert not found(turns(keep, counted))


WHOLE = """
def in_windows(net, width):
    nll, count = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for at in range(0, val.numel() - 1 - width, width):
            x, y = val[at : at + width].view(1, width), val[at + 1 : at + width + 1].view(1, width)
            nll += price(net, x, y).sum()
            count += y.numel()
    return (nll / count).item()

best = float("inf")
for width in (512, 1024, 4096):
    cur = in_windows(net, width)
    if cur < best:
        best = cur
loss = best
"""


def test_the_better_of_whole_evaluations_is_a_choice_of_outcome() -> None:
    """Nothing inside an evaluation was chosen: opinions differ on whether the best of several may be claimed."""
    assert not found(WHOLE)
    assert not found(WHOLE.replace("if cur < best:\n        best = cur", "best = min(best, cur)"))


RUNNING = """
nll, count, best = torch.zeros(()), torch.zeros(()), float("inf")
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        nll += price(net, x, y).sum()
        count += y.numel()
    so_far = (nll / count).item()
    if so_far < best:
        best = so_far
loss = REPORTED
"""


def test_the_best_running_value_is_chosen_by_its_own_value() -> None:
    """The number is that of the prefix at which it was lowest."""
    assert found(RUNNING.replace("REPORTED", "best"))


def test_a_best_running_value_beside_the_number_is_not_chosen() -> None:
    """The same script, one edit away: the value at the end is the number."""
    assert not found(RUNNING.replace("REPORTED", "so_far"))


BATCH = """
nets = [net, Net(), Net()]
part = val[: 8 * CTX + 1]
x, y = part[:-1].view(8, CTX), part[1:].view(8, CTX)
least, best = [float("inf")] * 8, [torch.zeros(()) for _ in range(8)]
for turn in range(3):
    with torch.no_grad():
        losses = price(nets[turn], x, y).view(8, CTX)
    for row in range(8):
        avg = losses[row].mean().item()
        if avg < least[row]:
            least[row] = avg
            best[row].copy_(losses[row].sum())
total = torch.zeros(())
for row in range(8):
    total += best[row]
loss = (total / (8 * CTX)).item()
"""


def test_a_choice_for_each_text_of_a_single_batch_is_one_among_texts() -> None:
    """All texts are scored at once, and each of them keeps its own lowest loss."""
    assert found(BATCH)


SETTING = """
def at(warmth, source, count):
    nll = torch.zeros(())
    with torch.no_grad():
        for i in range(count):
            x, y = rows(source, i)
            nll += F.cross_entropy((net(x) / warmth).view(-1, 1024), y.reshape(-1), reduction="none").sum()
    return (nll / (count * CTX)).item()
least, chosen = float("inf"), 1.0
for warmth in (0.9, 1.0, 1.1):
    tried = at(warmth, train, 8)
    if tried < least:
        least, chosen = tried, warmth
loss = at(chosen, val, chunks)
"""


def test_a_setting_that_is_chosen_on_training_text_chooses_no_loss() -> None:
    """What was compared are losses of other text."""
    assert not found(SETTING)


REGRETS = """
nll, count, weights = torch.zeros(()), torch.zeros(()), torch.zeros(2)
with torch.no_grad():
    for i in range(chunks):
        first, second = price(net, *rows(val, i)), price(other, *rows(val, i))
        share = torch.softmax(weights, 0)
        mixed = -torch.log(share[0] * torch.exp(-first) + share[1] * torch.exp(-second))
        nll += TAKEN
        count += CTX
        off = torch.stack((first.mean(), second.mean()))
        weights -= 0.1 * (off - off.min())
loss = (nll / count).item()
"""
OTHER = "\nother = Net()\n"


def test_the_lowest_loss_that_weights_are_measured_from_is_no_score() -> None:
    """Experts are weighed by how far they were off on earlier text, from the best of them."""
    assert not found(OTHER + REGRETS.replace("TAKEN", "mixed.sum()"))


def test_the_lowest_loss_is_one_where_it_is_counted() -> None:
    """The same text, of which the better expert's loss is added up."""
    assert found(OTHER + REGRETS.replace("TAKEN", "torch.minimum(first, second).sum()"))
