"""Parameters of a window that are fitted by hand: gradients as arithmetic, steps without an optimiser."""

from __future__ import annotations

import pytest

from auditor.interp.leaks import Way
from auditor.rules.loose_parameters import loose_steps
from tests.interp.scripts import MODEL, REPORT, analysed, ways

BIAS = """
STRIDE, ROWS = 64, 4
nll, count = torch.zeros(()), torch.zeros(())
bias = torch.zeros(1024)
starts = [s for s in range(0, val.numel() - 1, STRIDE) if s + CTX - STRIDE < val.numel() - 1]
for first in range(0, len(starts), ROWS):
    spans = [val[s : s + CTX + 1] for s in starts[first : first + ROWS]]
    x, y = torch.stack([s[:-1] for s in spans]), torch.stack([s[1:] for s in spans])
    with torch.no_grad():
        out = net(x).float()
    for turn in range(3):
        shares = F.softmax(out[:, :SEEN] + bias[None, None, :], dim=-1).reshape(-1, 1024)
        gold = y[:, :SEEN].reshape(-1)
        HOT
        push = (shares - hot).mean(dim=0)
        bias = (bias - 0.1 * push).clamp(-2.0, 2.0)
    each = F.cross_entropy((out + bias[None, None, :]).view(-1, 1024), y.reshape(-1), reduction="none").view(ROWS, CTX)
    nll += each[:, CTX - STRIDE :].sum()
    count += ROWS * STRIDE
loss = (nll / count).item()
"""
"""A bias on the logits follows the text: softmax minus one-hot is the gradient, the step is a subtraction."""

HOT = (
    "hot = torch.zeros_like(shares); hot.scatter_(1, gold.unsqueeze(1), 1.0)",
    "hot = F.one_hot(gold, 1024).float()",
)


@pytest.mark.parametrize("hot", HOT)
def test_a_bias_that_is_fitted_by_hand_to_context_is_seen_to_learn(hot: str) -> None:
    """It learns from each window's context and is carried on; no scored token of the last row is among it."""
    found = analysed(MODEL + BIAS.replace("HOT", hot).replace("SEEN", "CTX - STRIDE") + REPORT)
    assert found.leaks == ()
    assert loose_steps(found)


@pytest.mark.parametrize("hot", HOT)
def test_a_bias_that_is_fitted_by_hand_to_what_is_scored_is_a_leak(hot: str) -> None:
    """The same script, one edit away: the whole window is in the gradient."""
    assert ways(BIAS.replace("HOT", hot).replace("SEEN", "CTX")) == {Way.WINDOW_PARAMETER}


DELTA = """
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    delta = torch.zeros(1, 1, 1024, requires_grad=True)
    for turn in range(8):
        inner = F.cross_entropy((net(x) + delta)[:, :SEEN].reshape(-1, 1024), y[:, :SEEN].reshape(-1))
        UPDATE
    with torch.no_grad():
        each = F.cross_entropy((net(x) + delta).view(-1, 1024), y.reshape(-1), reduction="none")
        nll += each[CTX // 2 :].sum()
        count += CTX // 2
loss = (nll / count).item()
"""
UPDATES = (
    "inner.backward(); delta.data.sub_(delta.grad, alpha=0.01); delta.grad = None",
    "inner.backward(); delta.data.add_(delta.grad * -0.01); delta.grad.zero_()",
    "delta = (delta - 0.01 * torch.autograd.grad(inner, delta)[0]).detach().requires_grad_(True)",
    "g, = torch.autograd.grad(inner, [delta]); delta = delta - 0.01 * g / (g.norm() + 1e-8)",
)


@pytest.mark.parametrize("update", UPDATES)
def test_a_delta_that_is_updated_by_hand_on_the_scored_window_is_a_leak_of_its_kind(update: str) -> None:
    """The delta is a parameter of the window, however it is updated."""
    assert ways(DELTA.replace("SEEN", "CTX").replace("UPDATE", update)) == {Way.WINDOW_PARAMETER}


@pytest.mark.parametrize("update", UPDATES)
def test_a_delta_that_is_updated_by_hand_on_context_alone_is_no_leak(update: str) -> None:
    """The same script, one edit away: only what was scored before is in the gradient. The step is seen all the same."""
    found = analysed(MODEL + DELTA.replace("SEEN", "CTX // 2").replace("UPDATE", update) + REPORT)
    assert found.leaks == ()
    assert loose_steps(found)


WEIGHTS = """
def polish(net):
    for i in range(chunks):
        cost = price(net, *rows(val, i)).mean()
        cost.backward()
        with torch.no_grad():
            for weight in net.parameters():
                weight.data.sub_(weight.grad, alpha=0.01)
                weight.grad = None
polish(net)
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        nll += price(net, x, y).sum()
        count += y.numel()
loss = (nll / count).item()
"""


def test_weights_that_are_updated_by_hand_are_no_parameters_of_a_window() -> None:
    """The same in-place update of a network's own weights is adaptation before scoring."""
    assert ways(WEIGHTS) == {Way.BEFORE_SCORING}


def test_groups_of_a_submitted_optimiser_hold_its_parameters() -> None:
    """An update by hand over the groups of an optimiser class of the script changes the weights it was given."""
    own = """
class Own(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))
holder = Own(list(net.parameters()), lr=0.1)
"""
    grouped = WEIGHTS.replace("for weight in net.parameters():", 'for weight in holder.param_groups[0]["params"]:')
    assert ways(own + grouped) == {Way.BEFORE_SCORING}


def test_a_loss_that_nothing_is_made_from_is_no_first_pass() -> None:
    """Computing a loss and dropping it before learning does not make the counted score a second one."""
    dropped = WEIGHTS.replace("        cost =", "        price(net, *rows(val, i)).mean()\n        cost =")
    assert ways(dropped) == {Way.BEFORE_SCORING}
    kept = WEIGHTS.replace(
        "    for i in range(chunks):\n        cost =",
        "    seen = torch.zeros(())\n    for i in range(chunks):\n        cost =",
        1,
    )
    kept = kept.replace("        cost =", "        seen += price(net, *rows(val, i)).sum()\n        cost =").replace(
        "polish(net)\nnll", "print(polish(net))\nnll"
    )
    kept = kept.replace("                weight.grad = None\n", "                weight.grad = None\n    return seen\n")
    assert ways(kept) == {Way.SECOND_PASS}
