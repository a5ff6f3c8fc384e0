"""What a network returns beside its per-token losses is no loss."""

from __future__ import annotations

from tests.interp.scripts import MODEL, REPORT, analysed

BOTH = """
class Sure(Net):
    def scores(self, ids, targets):
        logits = self(ids).float()
        losses = F.cross_entropy(logits.view(-1, 1024), targets.reshape(-1), reduction="none").view(ids.shape)
        spread = F.log_softmax(logits, dim=-1)
        return RETURNED
net = Sure()
nll, count = torch.zeros(()), torch.zeros(())
for i in range(chunks // 2):
    part = val[2 * i * CTX : 2 * (i + 1) * CTX + 1]
    x, y = part[:-1].view(2, CTX), part[1:].view(2, CTX)
    with torch.no_grad():
        NAMES = net.scores(x, y)
        other = price(net, x, y).view(2, CTX)
        picked = torch.where(DECIDES > 1.5, other, own)
        nll += picked.sum()
        count += y.numel()
loss = (nll / count).item()
"""
"""A script that chooses between two losses of each of two rows, by one of the two values that a network returned."""


def chosen(returned: str, names: str, decides: str) -> list[bool]:
    """Say of every choice among losses behind the number whether it was made by a loss."""
    source = BOTH.replace("RETURNED", returned).replace("NAMES", names).replace("DECIDES", decides)
    found = analysed(MODEL + source + REPORT)
    assert found.composition is not None
    assert [score.counted.count for score in found.composition.scores][:1] == [2048]
    return [bool(node.info.get("by_loss")) for node in found.composition.selects]


def test_a_choice_by_the_entropy_that_is_returned_beside_the_losses_is_none_by_loss() -> None:
    """The entropy of the prediction says nothing of the realised token."""
    entropy = "-(spread.exp() * spread).sum(-1)"
    assert chosen(f"losses, {entropy}", "own, unsure", "unsure") == [False, False, False, False]
    assert chosen(f"{entropy}, losses", "unsure, own", "unsure") == [False, False, False, False]


def test_a_choice_by_the_losses_themselves_is_one_by_loss() -> None:
    """The same script, one edit away: the condition looks at the loss of the realised token."""
    assert chosen("losses, -(spread.exp() * spread).sum(-1)", "own, unsure", "own") == [True, True, True, True]
