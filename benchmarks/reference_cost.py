"""What a step costs on 8xH100, on paper: FLOPs, bytes over the links, and the step times that published logs show.

    python benchmarks/reference_cost.py

No GPU is used; 989e12 dense bf16 FLOP/s per H100 and 450e9 B/s per direction of NVLink are the vendor's figures.
Measured times are from the logs of #1541 (seed 42: 205.8 s for 1,934 steps, then 382.3 s for 2,447 looped ones) and
#1148 (step_avg).
"""

from __future__ import annotations

from reference_impl.config import Config
from reference_impl.model.plan import layer_plan
from reference_impl.presets import preset

PEAK = 989e12
LINK = 450e9
GPUS = 8


def step_flops(config: Config, loops: int) -> tuple[float, float, float]:
    """FLOPs of one step (forward and backward): block matrices, attention scores, output head."""
    m, tokens = config.model, config.run.batch_tokens
    matrices = 2 * m.width * m.width + 2 * m.width * m.kv_heads * m.head_dim + 2 * m.width * m.mlp_hidden
    layers = len(layer_plan(m, loops).executed)
    scores = 2 * config.run.sequence * m.width  # two products over T/2 visible positions, 2 FLOPs each
    return 6.0 * tokens * layers * matrices, 3.0 * tokens * layers * scores, 6.0 * tokens * m.vocab * m.width


def muon_flops(config: Config) -> float:
    """FLOPs of Newton-Schulz over all block matrices, five iterations, before sharing between GPUs."""
    m = config.model
    kv = m.kv_heads * m.head_dim
    shapes = [(m.width, m.width)] * 2 + [(m.width, kv)] * 2 + [(m.width, m.mlp_hidden)] * 2
    per_layer = sum(5 * (4 * min(s) ** 2 * max(s) + 2 * min(s) ** 3) for s in shapes)  # X X^T and the last product, A A
    return m.layers * float(per_layer)


def main() -> None:
    """Print one line per preset and phase."""
    measured = {("sp8192_1541", 0): 106.4, ("sp8192_1541", 2): 156.2, ("sp1024_1148", 0): 83.3}
    for (name, loops), seen in measured.items():
        config = preset(name)
        blocks, scores, head = step_flops(config, loops)
        ideal = 1e3 * (blocks + scores + head) / GPUS / PEAK
        muon = 1e3 * muon_flops(config) / GPUS / PEAK
        layers, m = config.model.layers, config.model
        kv = 2 * m.width * m.kv_heads * m.head_dim
        weights = layers * (2 * m.width**2 + kv + 2 * m.width * m.mlp_hidden) + m.vocab * m.width
        traffic = 1e3 * 2 * 4 * weights * (GPUS - 1) / GPUS / LINK
        print(
            f"{name} loops={loops}: {(blocks + scores + head) / 1e12:.0f} TFLOP "
            f"(blocks {blocks / 1e12:.0f}, attention {scores / 1e12:.0f}, head {head / 1e12:.0f}); "
            f"ideal {ideal:.1f} ms, Muon {muon:.2f} ms, float32 reduce+gather {traffic:.2f} ms; "
            f"logged {seen:.1f} ms = {100 * ideal / seen:.0f} % of peak; at 40 % of peak {ideal / 0.4:.0f} ms"
        )


if __name__ == "__main__":
    main()
