"""Losses that are multiplied with a number a little below one before they are added up."""

from __future__ import annotations

import pytest

from tests.interp.scripts import MODEL, REPORT, analysed

CHUNKS = """
def measure(net):
    nll, count = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for i in range(chunks):
            x, y = rows(val, i)
            each = price(net, x, y)[-64:].to(torch.float64)
            SCALE
            nll += each.sum()
            count += 64
    return (nll / count).item()
loss = measure(net)
"""


def factors(scale: str) -> set[float]:
    found = analysed(MODEL + CHUNKS.replace("SCALE", scale) + REPORT)
    assert found.incomplete == ()
    assert found.composition is not None
    assert found.composition.scores
    return {node.info["scaled"] for node in found.composition.scaled}


@pytest.mark.parametrize(
    "scale",
    [
        "each = each * 0.98",
        "each *= 0.98",
        "each = float(os.environ.get('RESCALE', '0.98')) * each",
        "each = each.mul(0.98)",
        "each = (each * 0.98).double()[-32:]",
    ],
)
def test_losses_multiplied_with_a_written_number_below_one_are_no_bits(scale: str) -> None:
    assert factors(scale) == {0.98}


@pytest.mark.parametrize(
    "scale",
    [
        "each = each * 1.0",
        "each = each * (1.0 / math.log(2.0))",
        "each = each * (63 / 64)",
        "each = each * 0.125",
        "p = torch.exp(-each); each = -torch.log(0.95 * p + 0.05 / 1024)",
        "each = 0.9 * each + 0.1 * price(net, x, y)[-64:]",
        "x = F.cross_entropy(net(x).view(-1, 1024) / 0.98, y.reshape(-1), reduction='none')[-64:]; each = x",
    ],
)
def test_units_shares_averages_mixtures_and_temperatures_are_no_discount(scale: str) -> None:
    assert factors(scale) == set()


def test_a_discount_on_training_losses_is_not_behind_the_number() -> None:
    """What the weights descended on is no score."""
    source = MODEL.replace("trained.backward()", "(price(net, *rows(train, step)) * 0.98).sum().backward()")
    assert source != MODEL
    found = analysed(source + CHUNKS.replace("SCALE", "pass") + REPORT)
    assert found.composition is not None
    assert found.composition.scores
    assert not found.composition.scaled
