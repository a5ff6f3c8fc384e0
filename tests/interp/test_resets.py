"""Adapters that start over: what overwrites all of their values ends what they had learned."""

from __future__ import annotations

import textwrap

import pytest

from auditor.interp.leaks import Leak, Way
from tests.interp.scripts import MODEL, REPORT, analysed, ways

EPOCHS = """
import copy
live, deep = net.state_dict(), copy.deepcopy(net.state_dict())
start = {name: p.detach().clone() for name, p in net.named_parameters()}
values = [p.detach().clone() for p in net.parameters()]

def adapt(net, opt):
    for turn in range(3):
RESET
        nll, count = torch.zeros(()), torch.zeros(())
        for i in range(chunks):
            x, y = rows(val, i)
            with torch.no_grad():
                nll += price(net, x, y).sum()
                count += y.numel()
            descend(net, opt, x, y)
    return (nll / count).item()
loss = adapt(net, opt)
"""
"""Three epochs, each scored before it is learned from, of which the last one's score is counted."""


def epochs(reset: str) -> str:
    """Return the script whose epochs begin with these lines."""
    return EPOCHS.replace("RESET", textwrap.indent(textwrap.dedent(reset).strip("\n"), " " * 8))


WHOLE = {
    "zeroed": "for p in net.parameters():\n    p.data.zero_()",
    "filled": "with torch.no_grad():\n    for p in net.parameters():\n        p.fill_(0.01)",
    "drawn anew": "with torch.no_grad():\n    for p in net.parameters():\n        p.uniform_(-1 / math.sqrt(64), 0.1)",
    "initialised": "for p in net.parameters():\n    nn.init.normal_(p, std=0.02)",
    "copied from zeros": "for p in net.parameters():\n    p.data.copy_(torch.zeros_like(p))",
    "replaced": "for p in net.parameters():\n    p.data = torch.zeros_like(p)",
    "assigned whole": "with torch.no_grad():\n    for p in net.parameters():\n        p[:] = 0.0",
    "multiplied by nothing": "with torch.no_grad():\n    for p in net.parameters():\n        p.mul_(0.0)",
    "put back from a copy": "net.load_state_dict(deep)",
    "put into the state that it is": "for name in start:\n    live[name] = start[name]\nnet.load_state_dict(live)",
    "put back by name": "for name, p in net.named_parameters():\n    p.data.copy_(start[name])",
    "put back by place": "for p, value in zip(net.parameters(), values):\n    p.data.copy_(value)",
    "put back at once": "torch._foreach_copy_(list(net.parameters()), values)",
    "zeroed at once": "torch._foreach_zero_(list(net.parameters()))",
    "layer by layer": """
        for layer in net.modules():
            if isinstance(layer, (nn.Linear, nn.Embedding)):
                layer.reset_parameters()
    """,
    "by a function of its own": """
        def again(layer):
            if isinstance(layer, (nn.Linear, nn.Embedding)):
                nn.init.zeros_(layer.weight)
        net.apply(again)
    """,
}
PARTS = {
    "all but one": "for p in list(net.parameters())[1:]:\n    p.data.zero_()",
    "the layers only": "for p in net.layers.parameters():\n    p.data.zero_()",
    "one layer": "nn.init.zeros_(net.layers[0].weight)",
    "some rows": "for p in net.parameters():\n    p.data[:8] = 0.0",
    "shrunk": "for p in net.parameters():\n    p.data.mul_(0.5)",
    "from the state that it still is": "net.load_state_dict(live)",
    "with what was learned": "for p in net.parameters():\n    p.data.copy_(p.data.clone())",
    "gradients only": "for p in net.parameters():\n    p.grad.zero_()",
}


@pytest.mark.parametrize("reset", WHOLE.values(), ids=WHOLE.keys())
def test_an_epoch_that_starts_over_has_learned_nothing(reset: str) -> None:
    """All values are overwritten by ones that know nothing of the text, so that each epoch is a first one."""
    assert Way.LATER_EPOCH not in ways(epochs(reset))


@pytest.mark.parametrize("reset", PARTS.values(), ids=PARTS.keys())
def test_an_epoch_that_keeps_a_part_knows_the_text(reset: str) -> None:
    """One edit away: something of what earlier epochs had learned is left."""
    assert Way.LATER_EPOCH in ways(epochs(reset))


def later(reset: str) -> list[Leak]:
    """Return what an epoch had learned in earlier ones."""
    return [leak for leak in analysed(MODEL + epochs(reset) + REPORT).leaks if leak.way is Way.LATER_EPOCH]


ZERO = "for p in net.parameters():\n        p.data.zero_()"


@pytest.mark.parametrize("act", [ZERO, "net.load_state_dict(start)"], ids=["zeroed", "loaded"])
def test_a_reset_on_one_side_of_a_comparison_of_losses_is_none(act: str) -> None:
    """In some epoch the loss is such that the adapter goes on with what it has."""
    assert [leak.certain for leak in later(f"if price(net, *rows(val, 0)).mean() > 2.0:\n    {act}")] == [True]


@pytest.mark.parametrize("act", [ZERO, "net.load_state_dict(start)"], ids=["zeroed", "loaded"])
def test_a_reset_under_an_unknown_setting_leaves_it_open(act: str) -> None:
    """Whether the adapter starts over hangs on something that is not known: the finding is unproven."""
    assert [leak.certain for leak in later(f"if torch.cuda.get_device_name() == 'A':\n    {act}")] == [False]


def test_a_reset_on_both_sides_is_one() -> None:
    """Whichever way an unknown condition goes, the adapter starts over."""
    both = f"if torch.cuda.get_device_name() == 'A':\n    {ZERO}\nelse:\n    net.load_state_dict(start)"
    assert later(both) == []


def test_what_is_learned_and_forgotten_on_one_side_is_forgotten() -> None:
    """A warm-up that may or may not happen puts everything back before it ends."""
    warm = f"""
if torch.cuda.get_device_name() == "A":
    for i in range(chunks):
        descend(net, opt, *rows(val, i))
    {ZERO}
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks):
    x, y = rows(val, i)
    with torch.no_grad():
        nll += price(net, x, y).sum()
        count += y.numel()
loss = (nll / count).item()
"""
    assert ways(warm) == set()
