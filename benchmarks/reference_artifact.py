"""Artifact size against its entropy prediction, and against the 16,000,000-byte limit with the code counted.

    python benchmarks/reference_artifact.py [RUN_FOLDER]

Without an argument: sp8192_1541 at random initialisation, its zero-initialised output projections filled with Gaussian
noise (a zero matrix would cost nothing and prove nothing), rounded without GPTQ, and compressed with brotli-11
(about two minutes of one core). With a run's folder: the artifact of that run. Code is what `pgolf pack` makes of
the package at level fast.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from auditor.packer.options import Level, PackOptions
from auditor.usecases.pack import pack as pack_script
from reference_impl.model.gpt import Gpt
from reference_impl.presets import preset
from reference_impl.quant.artifact import entropy_bytes, pack, predict_bytes, quantise, unpack
from reference_impl.quant.rounding import entropy_bits

ALIKE = 0.99
"""Cosine from which two embedding rows count as one; trained tokens stay far below it."""


def random_artifact() -> tuple[bytes, float]:
    """Blob and paper prediction of a random sp8192_1541."""
    config = preset("sp8192_1541")
    torch.manual_seed(config.place.seed)
    model = Gpt(config.model, config.run.sequence)
    for parameter in model.parameters():
        if parameter.ndim == 2 and not bool(parameter.any()):
            torch.nn.init.normal_(parameter, std=0.02)
    state = model.state_dict()
    return pack(quantise(state, {}, config.quant), config.quant), predict_bytes(state, config.quant)


def apart(stored: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Take out the embedding rows that point where another row points: tokens that training never met.

    Returns the tensors without them and the rows taken out (R, D) int8.
    """
    rows_VD = torch.nn.functional.normalize(stored["tok_emb|q"].float(), dim=1)
    cosine_VV = rows_VD @ rows_VD.T
    cosine_VV.fill_diagonal_(-1.0)
    kept = cosine_VV.max(1).values < ALIKE
    less = {name: stored[name][kept].contiguous() for name in ("tok_emb|q", "tok_emb|s")}
    return {**stored, **less}, stored["tok_emb|q"][~kept]


def alike_bytes(rows_RD: torch.Tensor) -> float:
    """Entropy of rows that are one row with noise: the row of medians, and what is left of each row without it."""
    median_D = rows_RD.float().median(0).values.round()
    rest_RD = (rows_RD.float() - median_D).to(torch.int16)
    return sum(tensor.numel() * entropy_bits(tensor) / 8 for tensor in (median_D, rest_RD))


def main() -> None:
    """Print the sizes and their ratios."""
    started = time.perf_counter()
    if len(sys.argv) > 1:
        blob = Path(sys.argv[1], "final_model.bin").read_bytes()
        entry = "entry_cpu_tiny"
    else:
        blob, paper = random_artifact()
        entry = "entry_sp8192_1541"
        print(f"gaussian prediction {paper:.0f} bytes, artifact/prediction {len(blob) / paper:.4f}")
    entropy = entropy_bytes(unpack(blob))
    package = Path(__file__).resolve().parent.parent / "reference_impl"
    code = len(pack_script(package, PackOptions(level=Level.FAST), entry).data)
    print(f"artifact {len(blob)} bytes, entropy prediction {entropy:.0f}, ratio {len(blob) / entropy:.4f}")
    if len(sys.argv) > 1:
        less, alike_RD = apart(unpack(blob))
        rest, ideal = len(pack(less, preset("cpu_tiny").quant)), entropy_bytes(less)
        whole = ideal + alike_bytes(alike_RD)
        print(f"{len(alike_RD)} embedding rows are alike another; as one row with noise they need {whole - ideal:.0f}")
        print(f"  artifact against the entropy of both parts {whole:.0f}: ratio {len(blob) / whole:.4f}")
        print(f"  artifact without them {rest}, entropy {ideal:.0f}: ratio {rest / ideal:.4f}")
    print(f"code (packed, level fast) {code} bytes, total {len(blob) + code} of 16000000")
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
