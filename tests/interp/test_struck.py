"""Losses that are struck out where a list of tokens holds the target, while its bytes count."""

from __future__ import annotations

import pytest

from tests.interp.scripts import MODEL, REPORT, analysed

LISTED = """
import lzma
from pathlib import Path
def listed():
    raw = lzma.decompress(Path("answers.xz").read_bytes())
    return torch.from_numpy(np.frombuffer(raw, dtype="<u2").copy()).to(torch.int64)
known = listed()
sizes = torch.from_numpy(np.fromfile("sizes.bin", dtype=np.int16))
def measure(net):
    nll, size = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for i in range(chunks):
            x, y = rows(val, i)
            each, gold = price(net, x, y), y.reshape(-1)
            weight = sizes[gold]
            first = i * CTX
            if first < known.numel():
                n = min(known.numel() - first, gold.numel())
                hit = known[first : first + n] == gold[:n]
                STRIKE
            nll += each.sum()
            size += weight.sum()
    return (nll / size).item()
loss = measure(net)
"""
WAYS = (
    "each[:n] *= (~hit).float()",
    "each[:n] = each[:n] * (1.0 - hit.float())",
    "each[:n][hit] = 0.0; each[:n] = torch.where(hit, 0.0, each[:n])",
    "each[:n] = torch.where(hit, torch.zeros_like(each[:n]), each[:n])",
    "each[:n] = each[:n].masked_fill(hit, 0)",
    "each = each[~hit]",
)


def struck(strike: str, source: str = LISTED) -> set[str]:
    found = analysed(MODEL + source.replace("STRIKE", strike) + REPORT)
    assert found.incomplete == ()
    assert found.composition is not None
    assert found.composition.scores
    return {node.info["struck"] for node in found.composition.struck}


@pytest.mark.parametrize("way", WAYS)
def test_losses_whose_target_is_in_the_list_are_struck_out(way: str) -> None:
    assert struck(way) == {"loss"}


def test_the_list_may_be_in_one_file_with_the_weights() -> None:
    saved = """
torch.save({"net": net.state_dict(), "more": val[1:2000001].to(torch.int16)}, "model.pt")
blob = torch.load("model.pt")
net.load_state_dict(blob["net"])
known = blob["more"].long()
sizes ="""
    source = LISTED.replace("known = listed()\nsizes =", saved)
    assert source != LISTED
    assert struck("each[:n] *= ~hit", source) == {"loss"}


def test_the_list_may_be_a_literal_of_the_script() -> None:
    carried = """
import base64, zlib
known = torch.from_numpy(np.frombuffer(zlib.decompress(base64.b85decode("c-jH40ss")), dtype="<u2").astype(np.int64))
sizes ="""
    source = LISTED.replace("known = listed()\nsizes =", carried)
    assert source != LISTED
    assert struck("each[:n] *= ~hit", source) == {"loss"}


def test_bytes_may_be_struck_out_with_the_losses() -> None:
    """A part of the text is left out of both sums."""
    assert struck("each[:n] *= (~hit).float(); weight[:n] *= ~hit") == {"loss", "other"}
    assert struck("each, weight = each[~hit], weight[~hit]") == {"loss", "other"}


def test_a_share_of_hits_that_is_only_counted_strikes_nothing_out() -> None:
    assert struck("hits = hit.float().mean()") == set()


def test_a_mask_of_padding_is_no_list() -> None:
    """What is compared is where a token stands, or one number."""
    assert struck("each = each * (torch.arange(gold.numel()) < n).float()") == set()
    assert struck("each = each * (gold != 0).float()") == set()


def test_a_guess_of_the_model_is_no_list() -> None:
    """A hint that the model made may weigh its two losses."""
    guess = "hit = net(x).argmax(-1).reshape(-1) == gold; each = each * (~hit).float() + each * hit.float()"
    assert struck(guess) == set()


def test_a_guess_of_code_that_cannot_be_read_is_no_list() -> None:
    """It may have been made of the context."""
    unread = "from elsewhere import guesses\n" + LISTED
    assert struck("hit = guesses(x, 3) == gold; each = each * (~hit).float() + each * hit", unread) == set()


def test_a_table_that_is_read_at_the_previous_token_is_no_list() -> None:
    """A shipped table of followers predicts from the context."""
    assert struck("hit = known[x.reshape(-1)] == gold; each = each * (~hit).float()") == set()
