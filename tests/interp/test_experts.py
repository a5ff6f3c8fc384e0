"""Experts that are laid side by side along an axis and weighted: what each of them was looked up with."""

from __future__ import annotations

from auditor.rules.mixtures import Mixture, mixtures
from tests.interp.scripts import MODEL, REPORT, analysed

GATED = """
SIZE = 1 << 16
PRIMES = [36313, 27191, 51647]
gate = nn.Linear(64, 3)
seen = [torch.zeros(SIZE, dtype=torch.int32) for _ in range(2)]
both = [torch.zeros(SIZE, dtype=torch.int32) for _ in range(2)]

def shares(x, y):
    rows_, width = x.shape
    found = torch.full((rows_, width, 2), 1.0 / 1024)
    valid = torch.zeros(rows_, width, 2, dtype=torch.bool)
    for i in range(1, -1, -1):
        ctx = torch.zeros(rows_, width, dtype=torch.long)
        for k in range(i + 1):
            ctx.bitwise_xor_(x * PRIMES[k])
        c_key = (ctx & (SIZE - 1)).long()
        f_key = (FULL & (SIZE - 1)).long()
        c = seen[i][c_key.reshape(-1)].float().reshape(rows_, width)
        f = both[i][f_key.reshape(-1)].float().reshape(rows_, width)
        p = torch.minimum(f, c) / c.clamp(min=1.0)
        found[..., i] = torch.where(c >= 2, p, found[..., i])
        valid[..., i] = c >= 2
        seen[i].scatter_add_(0, c_key.reshape(-1), torch.ones(width, dtype=torch.int32))
        both[i].scatter_add_(0, f_key.reshape(-1), torch.ones(width, dtype=torch.int32))
    return found, valid

nll, count = torch.zeros(()), torch.zeros(())
for n in range(chunks):
    x, y = rows(val, n)
    with torch.no_grad():
        lp = F.log_softmax(net(x), dim=-1)
        own = lp.gather(2, y.unsqueeze(2)).squeeze(2).exp()
        found, valid = shares(x, y)
        experts = torch.cat([own.unsqueeze(-1), found], dim=-1)
        open_ = torch.cat([torch.ones(1, CTX, 1, dtype=torch.bool), valid], dim=-1)
        w = F.softmax(gate(net.emb(x)).masked_fill(~open_, -1e9), dim=-1)
        mixed = (w * experts).sum(dim=-1)
        nll += -torch.log(mixed.clamp(min=1e-12)).sum()
    count += y.numel()
loss = (nll / count).item()
"""
"""Shares of several orders are stored side by side, joined to the model's own probability and weighted by a gate."""


def gated(full: str) -> list[Mixture]:
    """Return the blends of the gated script whose second key is `full`."""
    return mixtures(analysed(MODEL + GATED.replace("FULL", full) + REPORT))


def test_experts_joined_along_the_last_axis_are_a_mixture() -> None:
    """A share that was looked up by context and realised token is one of the experts."""
    found = gated("(ctx ^ (y * PRIMES[i + 1]))")
    assert found
    assert all(mixture.target_keyed for mixture in found)


def test_experts_keyed_by_the_context_alone_are_not_target_keyed() -> None:
    """The same script, one edit away: the second key is another hash of the context."""
    found = gated("(ctx ^ 977)")
    assert found
    assert not any(mixture.target_keyed or mixture.exact for mixture in found)


DOUBTING = """
scale = torch.load("scale.pt")
nll, count = torch.zeros(()), torch.zeros(())
weights = torch.tensor([0.9, 0.1]).log()
for n in range(chunks):
    x, y = rows(val, n)
    with torch.no_grad():
        lp = F.log_softmax(net(x) / scale, dim=-1)
        own = -lp.gather(2, y.unsqueeze(2)).squeeze(2)
        other = OTHER
        nll += -(weights - torch.stack([own, other], dim=-1)).logsumexp(dim=-1).sum()
    count += y.numel()
loss = (nll / count).item()
"""
"""The network's outputs have an unknown shape, since they are divided by something that was loaded."""


def test_what_is_stacked_with_a_loss_has_its_shape() -> None:
    """The entropy of a distribution of unknown shape is an expert that promises any token the same."""
    found = mixtures(analysed(MODEL + DOUBTING.replace("OTHER", "-(lp.exp() * lp).sum(-1)") + REPORT))
    assert found
    assert all(mixture.blind for mixture in found)


def test_a_uniform_expert_or_a_second_distribution_is_not_blind() -> None:
    """The same script, one edit away: a constant price, or the price of the realised token under another model."""
    for other in ("torch.full_like(own, 6.9)", "-F.log_softmax(net(x), dim=-1).gather(2, y.unsqueeze(2)).squeeze(2)"):
        assert not mixtures(analysed(MODEL + DOUBTING.replace("OTHER", other) + REPORT))
