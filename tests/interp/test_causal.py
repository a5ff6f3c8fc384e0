"""What a network's prediction depends on: reach beyond the own place is found where it is certain, and only there."""

from __future__ import annotations

import textwrap

import pytest

from tests.interp.scripts import MODEL, SCORE, analysed

HEAD, _, TAIL = MODEL.partition("class Net(nn.Module):")
TAIL = TAIL[TAIL.index("def read(") :]
ATTENTION = """
from flash_attn_interface import flash_attn_func
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

class Attention(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal = causal
        self.qkv = nn.Linear(64, 192)
        self.out = nn.Linear(64, 64)
    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (part.view(b, t, 4, 16).transpose(1, 2) for part in (q, k, v))
        y = {attend}
        return self.out(y.transpose(1, 2).reshape(b, t, d))
"""
BOX = """
class Box:
    def __init__(self, content):
        self.content = content
def moved(x, by):
    return x.roll(by, 1)
"""
SDPA = "F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)"


def network(body: str, init: str = "pass", attend: str = SDPA, forward: str = "") -> str:
    """Return a script whose network runs `body` on its stream x between embedding and attention."""
    made = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(1024, 64)
        self.mix = nn.Linear(64, 64)
        self.gate = nn.Parameter(torch.zeros(64))
        self.layers = nn.ModuleList([Attention(True) for _ in range(3)])
{textwrap.indent(textwrap.dedent(init).strip(), " " * 8)}
    def forward(self, ids):
        x = self.emb(ids)
{textwrap.indent(textwrap.dedent(body).strip(), " " * 8)}
        for layer in self.layers:
            x = x + layer(F.rms_norm(x, (x.size(-1),)))
        return F.linear(x, self.emb.weight)
"""
    return (
        HEAD
        + BOX
        + ATTENTION.format(attend=attend)
        + (forward or made)
        + TAIL
        + SCORE
        + 'print(f"val_bpb:{measure(net):.4f}")'
    )


def words(source: str) -> list[str]:
    """Return how each network behind the number looks ahead."""
    found = analysed(source)
    assert found.composition is not None and found.composition.scores
    return [ahead.seen.words for ahead in found.ahead]


AHEAD = {
    "shift added": "x = x + torch.cat([x[:, 1:], x[:, :1]], dim=1)",
    "shift by pad": "x = x + F.pad(x, (0, 0, 0, 1))[:, 1:]",
    "roll": "x = x + self.gate * x.roll(-1, 1)",
    "two forward, one back": "y = torch.roll(x, -2, dims=1)\nx = x + F.pad(y, (0, 0, 1, 0))[:, :-1]",
    "mean over time": "x = x + self.mix(x.mean(dim=1, keepdim=True))",
    "mean without the axis": "x = x + x.mean(1)[:, None, :]",
    "quantile": "x = torch.minimum(x, torch.quantile(x, 0.99, dim=1, keepdim=True))",
    "softmax over time": "x = x + x * torch.softmax(x, dim=1)",
    "normalised over time": "x = F.normalize(x, dim=1)",
    "last place": "x = x + x[:, -1:]",
    "blended with half": "x = torch.lerp(x, x.roll(-1, 1), 0.5)",
    "store": "y = torch.zeros_like(x)\ny[:, :-1] = x[:, 1:]\nx = x + y",
    "all keys": "a = torch.softmax(x @ x.transpose(1, 2), dim=-1)\nx = x + a @ x",
    "state of the window": "x = x + x @ (x.transpose(1, 2) @ x)",
    "einsum": "a = torch.einsum('btd,bsd->bts', x, x).softmax(-1)\nx = x + torch.einsum('bts,bsd->btd', a, x)",
    "length of the whole word": (
        "words = (ids % 7 == 0).long().cumsum(dim=1)\n"
        "count = torch.zeros(ids.size(0), ids.size(1), dtype=torch.long)\n"
        "count.scatter_add_(1, words, torch.ones_like(ids))\n"
        "x = x + self.emb(count.gather(1, words).clamp(0, 12))"
    ),
    "largest": "x = x + x.max(dim=1, keepdim=True)[0]",
    "spread of the window": "x = x / (x.std(dim=(0, 1), keepdim=True) + 1.0)",
    "sorted": "x = x + torch.sort(x, dim=1)[0]",
    "place five": "x = x + x[:, 5].unsqueeze(1).expand(-1, x.size(1), -1)",
    "narrow": "x = x + F.pad(x.narrow(1, 1, x.size(1) - 1), (0, 0, 0, 1))",
    "halves": "a, b = x.split(32, dim=-1)\nx = torch.cat([a, b.roll(-1, 1)], dim=-1)",
    "time first": "y = x.permute(1, 0, 2)\nx = x + y.mean(0, keepdim=True).permute(1, 0, 2)",
    "rows in one": "y = x.reshape(-1, 64)\nx = x + torch.cat([y[1:], y[:1]]).view(x.size(0), x.size(1), -1)",
    "through a checkpoint": (
        "from torch.utils.checkpoint import checkpoint\n"
        "x = x + checkpoint(lambda y: y.mean(1, keepdim=True), x, use_reentrant=False)"
    ),
    "in place": "y = torch.empty_like(x)\ny.copy_(x.roll(-1, 1))\nx.add_(y)",
    "in a list": "parts = []\nparts.append(x.mean(1, keepdim=True))\nx = sum([x, *parts])",
    "either branch": (
        "if os.environ.get('SOME'):\n    x = x + x.roll(-1, 1)\nelse:\n    x = x + x.mean(1, keepdim=True)"
    ),
    "bound": "import functools\nx = x + functools.partial(moved, x)(-1)",
    "held by an object": "held = Box(x.roll(-1, 1)).content\nx = x + held",
}
BEHIND = {
    "shift from the past": "x = x + F.pad(x, (0, 0, 1, 0))[:, :-1]",
    "smear": "g = torch.sigmoid(x[:, 1:, :12].mean(-1, keepdim=True))\n"
    "x = torch.cat([x[:, :1], x[:, 1:] + g * x[:, :-1]], dim=1)",
    "roll with the edge cut": "y = x.roll(1, 1)\ny[:, 0] = 0\nx = x + y",
    "one forward, one back": "y = x[:, 1:]\nx = x + F.pad(y, (0, 0, 1, 0))",
    "cumulative mean": "n = torch.arange(1, x.size(1) + 1)\nx = x + x.cumsum(dim=1) / n[None, :, None]",
    "masked mean": "m = torch.tril(torch.ones(x.size(1), x.size(1)))\nx = x + (m / m.sum(-1, keepdim=True)) @ x",
    "masked keys": (
        "s = x @ x.transpose(1, 2)\n"
        "s = s.masked_fill(torch.ones(x.size(1), x.size(1)).triu(1).bool(), float('-inf'))\n"
        "x = x + s.softmax(-1) @ x"
    ),
    "added mask": (
        "m = torch.full((x.size(1), x.size(1)), float('-inf')).triu(1)\n"
        "x = x + (x @ x.transpose(1, 2) + m).softmax(-1) @ x"
    ),
    "largest so far": "x = x + x.cummax(dim=1)[0]",
    "edge in place": "y = x.roll(1, 1)\ny[:, :1].zero_()\nx += y",
    "shift masked": "x = x + x.roll(-1, 1) * (ids != 3).unsqueeze(-1)",
    "window cut into blocks": "y = x.view(x.size(0), -1, 64, 64)\nx = x + (y - y.mean(2, keepdim=True)).view(x.shape)",
    "rows of the batch": "x = x + x.mean(0, keepdim=True)",
    "over the features": "x = (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)",
    "in training only": "if self.training:\n    x = x + x.mean(1, keepdim=True)",
    "not known": "if os.environ.get('SOME'):\n    x = x + x.mean(1, keepdim=True)",
    "mean of known places": "m = (torch.arange(x.size(1)) < 8).float()[None, :, None]\n"
    "x = x + (x * m).sum(1, keepdim=True)",
    "not added": "y = x.mean(dim=1)",
    "kept from the window before": (
        "if getattr(self, 'last', None) is not None:\n    x = x + self.last.mean(1, keepdim=True)\nself.last = x"
    ),
    "times zero": "x = x + float(os.environ.get('SHARE', 0.0)) * x.mean(1, keepdim=True)",
    "blended with nothing": "x = torch.lerp(x, x.roll(-1, 1), 0.0)",
    "bigram of ids": (
        "p = torch.zeros_like(ids)\np[..., 1:] = (ids[..., 1:] * 31 ^ ids[..., :-1] * 17) % 1024\nx = x + self.emb(p)"
    ),
    "position in the word": "words = (ids % 7 == 0).long().cumsum(dim=1)\nx = x + self.emb(words % 1024)",
    "unknown function": "from somewhere import mixer\nx = x + mixer(x.mean(dim=1, keepdim=True))",
    "heads as time": (
        "h = x.view(x.size(0), x.size(1), 4, 16)\nx = x + (h - h.mean(dim=2, keepdim=True)).reshape(x.shape)"
    ),
    "rows as time": "h = x.transpose(0, 1)\nx = x + h.cumsum(0).transpose(0, 1)",
}


@pytest.mark.parametrize("body", AHEAD.values(), ids=AHEAD)
def test_what_certainly_reaches_the_target_is_seen(body: str) -> None:
    assert len(words(network(body))) == 1


@pytest.mark.parametrize("body", BEHIND.values(), ids=BEHIND)
def test_what_stays_behind_or_is_not_known_is_not(body: str) -> None:
    assert not words(network(body))


FLASH = "flash_attn_func(*(p.transpose(1, 2) for p in (q, k, v)){0}).transpose(1, 2)"
OPEN = [
    FLASH.format(""),
    FLASH.format(", causal=False, window_size=(64, 64)"),
    "flex_attention(q, k, v)",
    "F.scaled_dot_product_attention(q, k, v)",
    "F.scaled_dot_product_attention(q, k, v, is_causal=not self.causal)",
    "F.scaled_dot_product_attention(q, k, v, None, 0.0, False)",
    "torch.softmax(q @ k.transpose(-2, -1) / 4.0, dim=-1) @ v",
]
SHUT = [
    FLASH.format(", causal=True"),
    FLASH.format(", window_size=(64, 0)"),
    "flex_attention(q, k, v, block_mask=create_block_mask(lambda b, h, i, j: i >= j, None, None, t, t))",
    SDPA,
    "F.scaled_dot_product_attention(q, k, v, attn_mask=torch.ones(t, t).tril().bool())",
    "F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)",
    "torch.softmax((q @ k.transpose(-2, -1)).masked_fill(self.mask[:t, :t], -1e9), dim=-1) @ v",
]


@pytest.mark.parametrize("attend", OPEN)
def test_attention_without_a_mask_sees_the_whole_window(attend: str) -> None:
    assert len(words(network("pass", attend=attend))) == 1


@pytest.mark.parametrize("attend", SHUT)
def test_attention_with_a_mask_is_taken_to_be_causal(attend: str) -> None:
    assert not words(network("pass", attend=attend))


LAYERS = [
    ("nn.LSTM(64, 32, batch_first=True, bidirectional=True)", "x = x + self.extra(x)[0]", True),
    ("nn.LSTM(64, 64, batch_first=True)", "x = x + self.extra(x)[0]", False),
    ("nn.Conv1d(64, 64, 3, padding=1)", "x = x + self.extra(x.transpose(1, 2)).transpose(1, 2)", True),
    ("nn.Conv1d(64, 64, 3, padding=2)", "x = x + self.extra(x.transpose(1, 2))[:, :, :-2].transpose(1, 2)", False),
    ("nn.Conv1d(64, 64, 3)", "x = x + self.extra(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)", False),
    ("nn.MultiheadAttention(64, 4, batch_first=True)", "x = x + self.extra(x, x, x)[0]", True),
    ("nn.MultiheadAttention(64, 4, batch_first=True)", "x = x + self.extra(x, x, x, attn_mask=self.mask)[0]", False),
]


@pytest.mark.parametrize(("made", "body", "found"), LAYERS)
def test_layers_of_the_library_are_read_by_their_settings(made: str, body: str, found: bool) -> None:
    assert bool(words(network(body, f"self.extra = {made}"))) is found


def test_targets_that_feed_the_prediction_are_seen() -> None:
    forward = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(1024, 64)
        self.layers = nn.ModuleList([Attention(True) for _ in range(3)])
    def forward(self, ids, targets):
        x = self.emb(ids){more}
        for layer in self.layers:
            x = x + layer(x)
        logits = F.linear(x, self.emb.weight)
        loss = F.cross_entropy(logits.view(-1, 1024), targets.reshape(-1), reduction="none")
        further = F.cross_entropy(logits[:, :-1].reshape(-1, 1024), targets[:, 1:].reshape(-1))
        return loss + 0.1 * further if self.training else loss
"""
    source = network("pass").replace("out = net(x)\n", "")
    source = source.replace('F.cross_entropy(out.view(-1, 1024), y.reshape(-1), reduction="none")', "net(x, y)")
    start, end = source.index("\nclass Net("), source.index("def read(")
    for more, found in (("", False), (" + self.emb(targets)", True)):
        assert bool(words(source[:start] + forward.replace("{more}", more) + source[end:])) is found


STILL = [
    ("self.still = nn.Linear(64, 64)\nnn.init.zeros_(self.still.weight)", "self.still({0})"),
    ("self.still = nn.Linear(64, 64)\nself.still.weight.data.zero_()", "F.linear({0}, self.still.weight.to(x.dtype))"),
    ("self.still = nn.Parameter(torch.zeros(64))", "self.still.to(x.dtype) * {0}"),
]


@pytest.mark.parametrize(("init", "fed"), STILL)
def test_a_weight_that_stays_at_zero_lets_nothing_through(init: str, fed: str) -> None:
    source = network("x = x + " + fed.format("x.mean(dim=1, keepdim=True)"), init)
    chosen = source.replace("net.parameters()", "[*net.emb.parameters(), *net.layers.parameters()]")
    assert words(source)
    assert not words(chosen)
    assert words(chosen.replace("zeros", "ones").replace("zero_()", "normal_()"))


def test_losses_of_the_tokens_that_were_given_are_no_prediction_of_the_next() -> None:
    source = network("x = x + x.mean(1, keepdim=True)").replace("part[1:].view(1, CTX)", "part[:-1].view(1, CTX)")
    assert not words(source)


def test_the_call_that_scored_is_followed_and_no_other() -> None:
    source = network("pass").replace("def forward(self, ids):", "def forward(self, ids, both=False):")
    source = source.replace(
        "        pass\n        for layer", "        x = x + x.mean(1, keepdim=True) if both else x\n        for layer"
    )
    first = source.replace('print(f"val_bpb', 'net(rows(val, 0)[0], both=True)\nprint(f"val_bpb')
    assert first != source and not words(first)
    assert words(source.replace("out = net(x)", "out = net(x, both=True)"))
