"""Rounding, GPTQ, codecs, the container and the size ledger."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_toys import everything_model, toy_tokens, trained_toy_model

from reference_impl.config import QuantConfig
from reference_impl.data.shards import write_bytes_atomically
from reference_impl.errors import ArtifactError
from reference_impl.model.gpt import Gpt
from reference_impl.quant.artifact import (
    SizeLedger,
    entropy_bytes,
    pack,
    predict_bytes,
    prune_to_fit,
    quantise,
    restore,
    unpack,
)
from reference_impl.quant.calibration import collect_hessians, generate_calibration
from reference_impl.quant.codec import CODECS, compress, decompress, shuffle_bytes, unshuffle_bytes
from reference_impl.quant.gptq import gptq_round
from reference_impl.quant.lqer import low_rank_correction
from reference_impl.quant.rounding import (
    dequantise,
    entropy_bits,
    gaussian_bits,
    lite_scale,
    quantile_scale,
    round_rows,
    sdclip_scale,
)

SDCLIP = QuantConfig(method="sdclip", codec="brotli", small_tensor=256)


def _correlated(rows: int, cols: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4 * cols, cols, generator=generator) @ torch.randn(cols, cols, generator=generator)
    inputs = inputs + 3 * torch.randn(4 * cols, 1, generator=generator)
    return torch.randn(rows, cols, generator=generator), inputs


def test_gptq_lowers_output_error_and_equals_rounding_for_white_inputs() -> None:
    """On correlated inputs the output error halves although weights move away; identity Hessian is plain rounding."""
    weight, inputs = _correlated(48, 160)
    scale = sdclip_scale(weight, 31, 12.85)
    plain = round_rows(weight, scale, 31)
    tuned = gptq_round(weight, inputs.T @ inputs, scale, 31)

    def error(q: torch.Tensor) -> float:
        return float(((dequantise(q, scale) - weight) @ inputs.T).square().mean())

    assert error(tuned) < error(plain) / 2
    assert (dequantise(tuned, scale) - weight).norm() > (dequantise(plain, scale) - weight).norm()
    assert torch.equal(gptq_round(weight, torch.eye(160), scale, 31), plain)


def test_gptq_survives_dead_inputs() -> None:
    """A column that calibration never excites is stored as zero."""
    weight, inputs = _correlated(8, 32)
    inputs[:, 5] = 0
    q = gptq_round(weight, inputs.T @ inputs, sdclip_scale(weight, 31, 12.85), 31)
    assert bool((q[:, 5] == 0).all()) and bool((q[:, 6] != 0).any())


def test_lite_chooses_the_best_clip_per_row() -> None:
    """No row is worse than under any single quantile."""
    weight = torch.randn(6, 2000) * torch.logspace(0, 1, 6)[:, None]
    weight[2, 7] = 200.0

    def errors(scale: torch.Tensor) -> torch.Tensor:
        return (dequantise(round_rows(weight, scale, 31), scale) - weight).square().sum(1)

    best = errors(lite_scale(weight, 31))
    for quantile in (0.999, 0.9999, 1.0):
        assert bool((best <= errors(quantile_scale(weight, 31, quantile)) + 1e-4).all())


def test_entropy_of_sdclip_follows_the_formula() -> None:
    """Coded bits are 2.047 + log2(c/k): 3.32 for int6 at k = 12.85, 4.71 for int8 at k = 20."""
    torch.manual_seed(0)
    weight = torch.randn(256, 512)
    for levels, k, bits in ((31, 12.85, 3.32), (127, 20.0, 4.71)):
        assert gaussian_bits(levels, k) == pytest.approx(bits, abs=0.01)
        q = round_rows(weight, sdclip_scale(weight, levels, k), levels)
        assert entropy_bits(q) == pytest.approx(bits, abs=0.03)


def test_size_prediction_is_within_three_percent_on_gaussian_weights() -> None:
    """The paper prediction meets the compressed size of matrices large enough for a coder to learn."""
    torch.manual_seed(0)
    state = {f"blocks.{i}.weight": torch.randn(256, 512) for i in range(3)} | {"tok_emb": torch.randn(512, 256)}
    blob = pack(quantise(state, {}, SDCLIP), SDCLIP)
    assert abs(len(blob) / predict_bytes(state, SDCLIP) - 1) < 0.03
    assert abs(len(blob) / entropy_bytes(unpack(blob)) - 1) < 0.03


def test_low_rank_correction_helps_and_is_reversible() -> None:
    """Adding the stored factors brings the dequantised tensor closer to the original, and survives the container."""
    torch.manual_seed(0)
    weight = torch.randn(64, 96) + 3 * torch.randn(64, 1) @ torch.randn(1, 96)
    config = dataclasses.replace(SDCLIP, lqer_top=1, matrix_levels=3, matrix_k=4.0)
    with_it = restore(unpack(pack(quantise({"blocks.w": weight}, {}, config), config)))["blocks.w"]
    without = restore(quantise({"blocks.w": weight}, {}, dataclasses.replace(config, lqer_top=0)))["blocks.w"]
    assert (with_it - weight).norm() < (without - weight).norm()
    low = low_rank_correction(torch.randn(10, 70), 4)
    assert low.dense().shape == (10, 70) and int(low.a.abs().max()) <= 2 and int(low.b.abs().max()) <= 8


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(CODECS))
def test_codecs_and_shuffle_round_trip(payload: bytes, codec: str) -> None:
    """Any bytes, odd lengths included, come back; the same input gives the same output."""
    blob = compress(payload, codec)
    assert decompress(blob) == payload and compress(payload, codec) == blob
    assert unshuffle_bytes(shuffle_bytes(payload)) == payload


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_artifact_round_trip_is_exact_and_deterministic(codec: str, shuffle: bool) -> None:
    """Stored tensors survive bit for bit; the same weights give the same bytes; small tensors are not rounded."""
    model = trained_toy_model(everything_model())
    config = QuantConfig(method="lite", codec=codec, byte_shuffle=shuffle, small_tensor=256)
    stored = quantise(model.state_dict(), {}, config)
    blob = pack(stored, config)
    back = unpack(blob)
    assert back.keys() == stored.keys() and all(torch.equal(back[key], stored[key]) for key in stored)
    assert pack(stored, config) == blob
    assert torch.equal(restore(back)["blocks.0.attn_scale"], model.blocks[0].attn_scale.detach())
    fresh = Gpt(everything_model(), 16)
    fresh.load_state_dict(restore(back))
    ids = torch.from_numpy(toy_tokens(16, 0))[None]
    with torch.no_grad():
        assert (fresh.logits(ids) - model.logits(ids)).abs().mean() < 0.3


def test_damaged_artifacts_are_refused() -> None:
    """A wrong codec tag, a cut stream and trailing bytes raise instead of giving other weights."""
    stored = quantise({"w": torch.randn(20, 20)}, {}, SDCLIP)
    blob = pack(stored, SDCLIP)
    for damaged in (b"", b"\x09" + blob[1:], blob[:-3], compress(decompress(blob) + b"x", "zlib")):
        with pytest.raises(ArtifactError):
            unpack(damaged)


def test_ledger_counts_code_and_blob_in_decimal_bytes() -> None:
    """16,000,000 passes and one byte more raises, naming both parts; MiB play no role."""
    assert SizeLedger(20_000, 15_980_000, 16_000_000).check().total == 16_000_000
    with pytest.raises(ArtifactError, match=r"found 16000001 \(code 20001, blob 15980000\)"):
        SizeLedger(20_001, 15_980_000, 16_000_000).check()


def test_pruning_meets_its_target_or_raises() -> None:
    """Only |q| = 1 entries become zero, cheapest first, until the blob fits; an impossible target is an error."""
    torch.manual_seed(0)
    stored = quantise({"blocks.w": torch.randn(64, 256) * torch.logspace(-1, 0, 64)[:, None]}, {}, SDCLIP)
    size = len(pack(stored, SDCLIP))
    pruned, blob, zeroed = prune_to_fit(stored, SDCLIP, int(0.97 * size))
    assert len(blob) <= int(0.97 * size) and zeroed > 0
    changed = pruned["blocks.w|q"] != stored["blocks.w|q"]
    assert bool((stored["blocks.w|q"][changed].abs() == 1).all()) and bool((pruned["blocks.w|q"][changed] == 0).all())
    assert int(changed.sum()) == zeroed
    assert prune_to_fit(stored, SDCLIP, size)[2] == 0
    with pytest.raises(ArtifactError, match="zeroed"):
        prune_to_fit(stored, SDCLIP, size // 4)


def test_hessians_equal_the_sum_of_outer_products_over_all_passes() -> None:
    """A looped layer accumulates each of its passes; collection leaves no residue and runs the looped graph."""
    model = trained_toy_model(everything_model(lanes="none"))
    model.loops = 0
    ids = torch.from_numpy(toy_tokens(32, 0)).view(2, 16)
    hessians = collect_hessians(model, [ids])
    assert model.loops == 1 and model.blocks[0].attn.c_q.gram is None
    inputs: dict[str, list[torch.Tensor]] = {"0": [], "1": []}
    for name in inputs:
        module = model.blocks[int(name)].attn.c_q
        module.register_forward_hook(lambda _, args, __, name=name: inputs[name].append(args[0].flatten(0, 1)))
    with torch.no_grad():
        model.logits(ids)
    assert len(inputs["0"]) == 1 and len(inputs["1"]) == 2
    for name, seen in inputs.items():
        expected = sum(x.T @ x for x in seen)
        torch.testing.assert_close(hessians[f"blocks.{name}.attn.c_q.weight"], expected, atol=1e-3, rtol=1e-4)
    assert hessians["tok_emb"].shape == (32, 32) and math.isfinite(float(hessians["tok_emb"].sum()))


def test_generated_calibration_is_reproducible_and_needs_no_data() -> None:
    """The same seed samples the same sequences, within the vocabulary."""
    model = trained_toy_model(everything_model())
    first = generate_calibration(model, 3, 8, 0.8, 7)
    assert first.shape == (3, 8) and torch.equal(first, generate_calibration(model, 3, 8, 0.8, 7))
    assert int(first.max()) < 64 and not torch.equal(first, generate_calibration(model, 3, 8, 0.8, 8))


def test_atomic_write_leaves_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of writing leaves the old file whole and no partial file behind."""
    path = tmp_path / "final_model.bin"
    write_bytes_atomically(path, b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_bytes_atomically(path, b"new contents")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["final_model.bin"]
