"""Counts of tokens in dictionaries of dictionaries, walked through token by token."""

from __future__ import annotations

from auditor.rules.mixtures import gates, mixtures
from tests.interp.scripts import MODEL, REPORT, analysed

WALK = """
losses = np.full(val.numel() - 1, -1.0, dtype=np.float64)
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        losses[i * CTX : (i + 1) * CTX] = price(net, x, y).numpy()

def walk(losses, stream):
    tables = [dict() for _ in range(4)]
    total, count = 0.0, 0
    for pos in range(losses.shape[0]):
        own = losses[pos]
        target = int(stream[pos + 1])
        share = 0.0
        for order in range(3, 1, -1):
            if pos + 1 < order:
                continue
            ctx = stream[pos + 2 - order : pos + 1].tobytes()
            if ctx in tables[order]:
                held = tables[order][ctx]
                share = held.get(target, 0) / held[-1]
                break
        if share > 0.0:
            weight = WEIGHT
            total -= math.log((1.0 - weight) * math.exp(-own) + weight * share)
        else:
            total += own
        count += 1
        for order in range(2, 4):
            if pos + 1 < order:
                continue
            ctx = stream[pos + 2 - order : pos + 1].tobytes()
            if ctx in tables[order]:
                held = tables[order][ctx]
                held[target] = held.get(target, 0) + 1
                held[-1] += 1
            else:
                tables[order][ctx] = {target: 1, -1: 1}
    return total / count

result = [None]

def run():
    result[0] = walk(losses, val.numpy().astype(np.uint16))

import threading
thread = threading.Thread(target=run, daemon=True)
thread.start()
thread.join()
loss = result[0]
"""


def test_a_count_of_the_realised_token_is_a_look_up_of_it() -> None:
    """A row per context, of which the entry of the realised token is blended; the weight is a constant."""
    found = analysed(MODEL + WALK.replace("WEIGHT", "0.5") + REPORT)
    assert mixtures(found)
    assert all(mixture.exact and not mixture.target_keyed for mixture in mixtures(found))
    assert not gates(found)


def test_a_weight_by_the_loss_of_the_realised_token_is_a_gate_by_it() -> None:
    """The same script, one edit away: how strongly the table counts follows from how badly the token was predicted."""
    found = analysed(MODEL + WALK.replace("WEIGHT", "0.5 * min(2.0, max(0.1, own / 2.5))") + REPORT)
    assert gates(found)
