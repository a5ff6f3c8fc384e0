"""Which weights a number was scored with: those of training, or those that the export made of them."""

from __future__ import annotations

import textwrap

import pytest

from auditor.interp.exports import Export, export_of, rounded_before
from tests.interp.scripts import MODEL, REPORT, SCORE, analysed

EXPORT = """
import io, zlib
def pack(state):
    packed = {}
    for name, t in state.items():
        scale = t.abs().amax().clamp_min(1e-8) / 127.0
        packed[name] = ((t / scale).round().clamp(-127, 127).to(torch.int8), scale)
    return packed
def unpack(packed):
    return {name: q.float() * scale for name, (q, scale) in packed.items()}
def save(net):
    packed = pack(net.state_dict())
    buffer = io.BytesIO()
    torch.save(packed, buffer)
    with open("model.ptz", "wb") as handle:
        handle.write(zlib.compress(buffer.getvalue(), 9))
    return packed
def load(net):
    with open("model.ptz", "rb") as handle:
        blob = handle.read()
    net.load_state_dict(unpack(torch.load(io.BytesIO(zlib.decompress(blob)))))
"""
"""An int8 export: round, save, compress, write, and the way back."""


def export(body: str) -> Export | None:
    """Return the export beside which the number of a script stands."""
    found = analysed(MODEL + SCORE + EXPORT + body + REPORT)
    assert found.incomplete == ()
    assert found.composition is not None and found.composition.scores
    return export_of(found.trace.nodes, found.composition)


def went_through(body: str) -> bool:
    """Say whether the scored weights of a script had been rounded like those that are saved."""
    found = analysed(MODEL + SCORE + EXPORT + body + REPORT)
    assert found.composition is not None
    return rounded_before(found.trace.nodes, found.composition) is not None


def test_a_score_before_the_export_is_of_other_weights() -> None:
    """What training left is scored, and then rounded and saved."""
    found = export("loss = measure(net)\nsave(net)\n")
    assert found is not None and not found.later
    assert found.loss.index < found.rounding.index
    assert found.saved is not None and found.saved.text == "torch.save"


def test_weights_that_are_updated_by_hand_are_of_one_training_too() -> None:
    """No optimiser is needed for what is scored and what is saved to have a common origin."""
    by_hand = MODEL.replace(
        "    opt.step()\n    opt.zero_grad()\nchunks",
        "    for p in net.parameters():\n        p.data = p.data - 0.1 * p.grad\nchunks",
    )
    assert by_hand != MODEL
    found = analysed(by_hand + SCORE + EXPORT + "loss = measure(net)\nsave(net)\n" + REPORT)
    assert found.composition is not None
    assert export_of(found.trace.nodes, found.composition) is not None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("save(net)\nload(net)\nloss = measure(net)\n", id="read back"),
        pytest.param("net.load_state_dict(unpack(save(net)))\nloss = measure(net)\n", id="in memory"),
        pytest.param(
            "before = measure(net)\nprint(f'{before}')\nsave(net)\nload(net)\nloss = measure(net)\n", id="beside"
        ),
        pytest.param("save(net)\nother = Net()\nload(other)\nloss = measure(other)\n", id="another object"),
        pytest.param(
            "save(net)\nload(net)\nfor i in range(4):\n    descend(net, opt, *rows(train, i))\nloss = measure(net)\n",
            id="adapted afterwards",
        ),
    ],
)
def test_weights_that_were_read_back_are_those_that_are_saved(body: str) -> None:
    """A file, memory, another object and later adaptation make no difference."""
    assert export(body) is None
    assert went_through(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "save(net)\nother = Net()\nload(other)\nprint(f'{measure(other)}')\nloss = measure(net)\n",
            id="other object",
        ),
        pytest.param(
            "kept = {k: v.clone() for k, v in net.state_dict().items()}\nsave(net)\nload(net)\n"
            "print(f'{measure(net)}')\nnet.load_state_dict(kept)\nloss = measure(net)\n",
            id="restored",
        ),
        pytest.param(
            "torch.save(net.state_dict(), 'raw.pt')\nsave(net)\nload(net)\nprint(f'{measure(net)}')\n"
            "net.load_state_dict(torch.load('raw.pt'))\nloss = measure(net)\n",
            id="restored from a file",
        ),
    ],
)
def test_weights_kept_from_before_the_export_are_not_those_that_are_saved(body: str) -> None:
    """The number is scored last, and all the same with what had not been rounded."""
    found = export(body)
    assert found is not None and found.later
    assert not went_through(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("loss = measure(net)\ntorch.save(net.state_dict(), 'model.pt')\n", id="nothing is rounded"),
        pytest.param(
            "loss = measure(net)\ntorch.save({k: v.half() for k, v in net.state_dict().items()}, 'model.pt')\n",
            id="a shorter float",
        ),
        pytest.param("loss = measure(net)\nsave(Net())\n", id="of another training"),
        pytest.param(
            "net.load_state_dict(torch.load('given.pt'))\ndescend(net, opt, *rows(train, 1))\n"
            "loss = measure(net)\nsave(net)\n",
            id="from a file",
        ),
        pytest.param(
            "pack(net.state_dict())\nsave(net)\nloss = measure(net)\n", id="no rounded weights are seen to be scored"
        ),
    ],
)
def test_what_is_not_known_to_be_another_model_is_not_called_one(body: str) -> None:
    """No rounding, no common training, a file of unknown content, or a way back that may not have been followed."""
    assert export(body) is None


ROUNDINGS = [
    "(t / scale).round()",
    "torch.round(t / scale)",
    "(t / scale).clamp(-127, 127).to(torch.int8)",
    "(t / scale).to(dtype=torch.uint8)",
    "(t / scale).char()",
    "np.rint((t / scale).numpy())",
    "(t / scale).numpy().astype(np.int8)",
]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_spelling_of_a_rounding_is_one(rounding: str) -> None:
    """By name or by type, of torch or numpy."""
    spelled = EXPORT.replace("(t / scale).round().clamp(-127, 127).to(torch.int8)", rounding)
    assert spelled != EXPORT
    found = analysed(MODEL + SCORE + spelled + "loss = measure(net)\nsave(net)\n" + REPORT)
    assert found.composition is not None
    assert export_of(found.trace.nodes, found.composition) is not None


def test_weights_that_are_used_without_their_network_are_scored_weights() -> None:
    """A model written out by hand leads back to what was read into it, and no further to what that was trained by."""
    body = textwrap.dedent("""
    save(net)
    load(net)
    print(f"{measure(net)}")
    nll, count = torch.zeros(()), torch.zeros(())
    table = net.emb.weight.detach().float()
    for i in range(chunks):
        x, y = rows(val, i)
        out = F.linear(F.embedding(x, table), table)
        each = F.cross_entropy(out.view(-1, 1024), y.reshape(-1), reduction="none")
        nll += each.sum()
        count += y.numel()
    loss = (nll / count).item()
    """)
    assert export(body) is None
    assert went_through(body)
