"""The transformer and its parts, each against an independent formula."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from reference_toys import VOCAB, everything_model, toy_tokens, trained_toy_model

from reference_impl.config import ModelConfig
from reference_impl.model.attention import attend, exclude_self
from reference_impl.model.embedding import BigramHash
from reference_impl.model.gpt import Gpt, Stream
from reference_impl.model.linear import fake_quantise, rms
from reference_impl.model.mlp import Mlp
from reference_impl.model.plan import layer_plan, loops_at, skip_rows
from reference_impl.model.rope import rope_base, rope_tables, rotate
from reference_impl.presets import preset

VARIANTS = {
    "everything": {},
    "p0": {"lanes": "p0"},
    "p3": {"lanes": "p3", "smear": "v2"},
    "full_gate": {"head_gate": "full", "skips": "plain"},
    "tail": {"loop_phases": (), "tail_layers": (1, 2), "lanes": "none"},
    "plain": {"skips": "none", "bigram_rows": 0, "value_embed_dim": 0, "smear": "none", "activation": "swiglu"},
    "untied": {"tied": False, "activation": "relu2"},
    "documents": {"document_mask": True},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_future_tokens_change_no_earlier_logit(name: str) -> None:
    """With every feature on, changing token t leaves the logits before t bit for bit alone, and changes those at t."""
    model = trained_toy_model(everything_model(**VARIANTS[name]))
    ids = torch.from_numpy(toy_tokens(16, 0))[None]
    with torch.no_grad():
        base = model.logits(ids)
        for t in (1, 7, 15):
            changed = ids.clone()
            changed[0, t] = (changed[0, t] + 9) % VOCAB
            other = model.logits(changed)
            assert torch.equal(base[0, :t], other[0, :t])
            assert not torch.equal(base[0, t], other[0, t])


@pytest.mark.parametrize("smear", ["v1", "v2"])
def test_packed_documents_equal_separate_ones(smear: str) -> None:
    """With document masking nothing crosses a BOS: not attention, not smear, not the bigram hash."""
    model = trained_toy_model(everything_model(document_mask=True, smear=smear))
    first, second = torch.tensor([[1, 9, 8, 7, 30]]), torch.tensor([[1, 22, 23, 24, 25, 26]])
    with torch.no_grad():
        packed = model.logits(torch.cat((first, second), dim=1))
        torch.testing.assert_close(packed[:, :5], model.logits(first))
        torch.testing.assert_close(packed[:, 5:], model.logits(second), atol=2e-5, rtol=1e-4)


def test_bos_leak_appears_without_the_mask() -> None:
    """The switch matters: without it the last token of a document changes the next document's first logits."""
    for mask, leaks in ((True, False), (False, True)):
        model = trained_toy_model(everything_model(document_mask=True, bos_mask=mask))
        a, b = torch.tensor([[1, 9, 8, 1, 22]]), torch.tensor([[1, 9, 40, 1, 22]])
        with torch.no_grad():
            assert torch.equal(model.logits(a)[:, 3:], model.logits(b)[:, 3:]) is not leaks


def test_layer_plans_of_the_specification() -> None:
    """Variants A to E execute the listed orders, with skip rows for the deepest plan."""
    c = ModelConfig(layers=11, loop_start=4, loop_end=5, loop_phases=((0.5, 2),))
    assert layer_plan(c, 2).encoder == (0, 1, 2, 3, 4, 5, 4)
    assert layer_plan(c, 2).decoder == (5, 4, 5, 6, 7, 8, 9, 10)
    assert layer_plan(c, 1).encoder == (0, 1, 2, 3, 4, 5) and layer_plan(c, 1).decoder == (4, 5, 6, 7, 8, 9, 10)
    d = preset("sp8192_1541").model
    assert layer_plan(d, 2).encoder == (0, 1, 2, 3, 4, 5, 3, 4)
    assert layer_plan(d, 2).decoder == (5, 3, 4, 5, 6, 7, 8, 9, 10)
    assert layer_plan(d, 0).encoder == (0, 1, 2, 3, 4) and skip_rows(d) == 8
    assert layer_plan(preset("sp1024_1406").model, 0).executed == (*range(11), 4, 5)
    progressive = ModelConfig(layers=11, loop_start=3, loop_end=5, loop_phases=((0.5, 1), (0.65, 2)))
    assert [loops_at(progressive, f) for f in (0, 0.49, 0.5, 0.64, 0.65, 1)] == [0, 0, 1, 1, 2, 2]


def test_exclusive_attention_is_orthogonal_to_the_own_value() -> None:
    """XSA equals the explicit projector, y.v = 0 for each head, and position 0 gives zero."""
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 5, 4, 8), torch.randn(2, 5, 2, 8), torch.randn(2, 5, 2, 8)
    y = attend(q, k, v, None)
    z = exclude_self(y, v)
    wide = v.repeat_interleave(2, dim=2)
    u = wide / wide.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(z, y - (y * u).sum(-1, keepdim=True) * u)
    assert (z * wide).sum(-1).abs().max() < 1e-5
    assert z[:, 0].abs().max() < 1e-6


def test_attention_equals_the_written_out_softmax() -> None:
    """Grouped causal attention: head h reads key head h*K//H, scale 1/sqrt(D)."""
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 6, 4, 8), torch.randn(1, 6, 2, 8), torch.randn(1, 6, 2, 8)
    got = attend(q, k, v, None)
    for head in range(4):
        scores = q[0, :, head] @ k[0, :, head * 2 // 4].T / math.sqrt(8)
        scores = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), -math.inf)
        torch.testing.assert_close(got[0, :, head], scores.softmax(-1) @ v[0, :, head * 2 // 4], atol=1e-5, rtol=1e-4)
    mask = torch.ones(1, 6, 6).tril().bool()
    torch.testing.assert_close(attend(q, k, v, mask), got, atol=1e-5, rtol=1e-4)


def test_partial_rope_depends_on_distance_only_and_passes_the_rest() -> None:
    """q.k after rotation is equal for equal distances; other dimensions are untouched; NTK base as stated."""
    cos, sin = rope_tables(12, 4, 10_000.0)
    q, k = torch.randn(8), torch.randn(8)
    turned_q = rotate(q.expand(1, 12, 1, 8), cos, sin)[0, :, 0]
    turned_k = rotate(k.expand(1, 12, 1, 8), cos, sin)[0, :, 0]
    assert torch.equal(turned_q[:, 4:], q[4:].expand(12, 4))
    for distance in (0, 1, 4):
        products = [turned_q[t] @ turned_k[t - distance] for t in range(distance, 12)]
        torch.testing.assert_close(torch.stack(products), products[0].expand(len(products)), atol=1e-5, rtol=1e-4)
    assert round(rope_base(10_000.0, 16, 2048, 1024)) == 22_082
    assert rope_base(10_000.0, 16, 2048, 2048) == 10_000.0


def test_activations_by_hand() -> None:
    """relu^2, LeakyReLU(0.5)^2 (0.25 h^2 below zero) and SwiGLU equal their formulas."""
    for activation in ("relu2", "leaky2", "swiglu"):
        mlp = Mlp(ModelConfig(width=4, heads=2, mlp_hidden=6, activation=activation))
        for parameter in mlp.parameters():
            torch.nn.init.normal_(parameter)
        x = torch.randn(3, 4)
        h = x @ mlp.fc.weight.T
        if activation == "relu2":
            h = torch.where(h > 0, h * h, 0.0 * h)
        elif activation == "leaky2":
            h = torch.where(h > 0, h * h, 0.25 * h * h)
        else:
            gate = x @ mlp.gate.weight.T
            h = gate * torch.sigmoid(gate) * h
        torch.testing.assert_close(mlp(x), h @ mlp.proj.weight.T)


@pytest.mark.parametrize("lanes", ["p2", "p3"])
def test_parallel_lanes_by_hand(lanes: str) -> None:
    """The lane update equals the formulas of #1541 (P2) and #1529 (P3), written out on the branch outputs."""
    config = everything_model(
        lanes=lanes,
        lanes_start=0,
        loop_phases=(),
        value_residual=False,
        value_embed_dim=0,
        value_embed_layers=(),
        skips="none",
        layers=1,
    )
    model = trained_toy_model(config)
    with torch.no_grad():
        stream = Stream(model, torch.from_numpy(toy_tokens(8, 0))[None])
        x0, block = stream.x0, model.blocks[0]
        a = stream._attention(block, 0, block.mix(x0, x0), None)
        b = block.mlp_branch(block.mix(x0, x0) if lanes == "p2" else x0, None)
        r, p = model.par_resid[0], model.par_post[0]
        expected = []
        for j in (0, 1):
            if lanes == "p2":
                expected.append(r[1] * (r[0] * x0 + p[0, j] * a) + p[1, j] * b)
            else:
                expected.append(r[j] * x0 + p[0, j] * a + p[1, j] * b)
        stream.run(0, None)
        torch.testing.assert_close(stream.lanes[0], expected[0])
        torch.testing.assert_close(stream.lanes[1], expected[1])
        output = expected[1] if lanes == "p2" else (expected[0] + expected[1]) / 2
        torch.testing.assert_close(stream.output(), output)


def test_initial_values() -> None:
    """Lanes, gates and scales start as the specification says, output projections at zero, loss at ln V."""
    model = Gpt(preset("cpu_tiny").model, 128)
    assert all(bool((b.attn.proj.weight == 0).all()) and bool((b.mlp.proj.weight == 0).all()) for b in model.blocks)
    with torch.no_grad():
        loss = model(torch.randint(1024, (2, 16)), torch.randint(1024, (2, 16)))
    assert abs(float(loss) - math.log(1024)) < 0.3
    lanes = Gpt(everything_model(), 16)
    assert torch.allclose(lanes.par_resid, torch.tensor(math.sqrt(1.1))) and bool((lanes.par_post == 1).all())


def test_softcap_identity_and_bound() -> None:
    """Logits stay within the cap; 30 tanh(z/30) = 60 sigma(z/15) - 30."""
    z = torch.linspace(-100, 100, 50)
    torch.testing.assert_close(30 * torch.tanh(z / 30), 60 * torch.sigmoid(z / 15) - 30, atol=1e-4, rtol=1e-4)
    model = trained_toy_model(everything_model(softcap=2.0))
    assert model.logits(torch.from_numpy(toy_tokens(16, 0))[None]).abs().max() <= 2.0


def test_bigram_rows_follow_the_hash() -> None:
    """Row = ((36313 id_t) xor (27191 id_{t-1})) mod (rows-1); the first position and BOS use the last row."""
    bigram = BigramHash(everything_model(), bos_id=1)
    rows = bigram.index(torch.tensor([[5, 9, 1, 7]]))[0].tolist()
    assert rows == [49, ((36313 * 9) ^ (27191 * 5)) % 49, 49, ((36313 * 7) ^ 27191) % 49]


def test_fake_quantisation_rounds_forward_and_passes_gradients() -> None:
    """The forward value lies on the grid of its row, the gradient is the identity."""
    weight = torch.randn(3, 5, requires_grad=True)
    rounded = fake_quantise(weight, 31)
    grid = rounded / (weight.abs().amax(1, keepdim=True) / 31)
    torch.testing.assert_close(grid, grid.round(), atol=1e-4, rtol=0)
    rounded.sum().backward()
    assert torch.equal(weight.grad, torch.ones(3, 5))


def test_too_long_sequences_are_refused() -> None:
    """A window longer than the rotary table raises instead of reading past it."""
    with pytest.raises(ValueError, match="sequence 17 is longer than the model's 16"):
        trained_toy_model(everything_model()).logits(torch.zeros(1, 17, dtype=torch.int64))


def test_rms_has_no_weight() -> None:
    """The norm divides by the root mean square alone."""
    x = torch.randn(4, 8)
    torch.testing.assert_close(rms(x), x / x.square().mean(-1, keepdim=True).sqrt(), atol=1e-5, rtol=1e-5)
    assert F.cross_entropy(torch.zeros(1, 4), torch.tensor([0])).item() == pytest.approx(math.log(4))
