"""The 25 golden rows: what real logs of these pull requests say, as numbers, and synthetic logs of the same grammar.

The values are facts read from public logs; every line of text below is written here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Golden:
    """One row; None is unknown by design, never zero."""

    pull_request: int
    file: str
    style: str
    """Which synthetic grammar shows it: a family, or B behind a prefix ("epoch", "default") or in "minutes" only."""
    seed: int | None
    world: int | None
    stop_ms: float | None
    steps: int
    name: str | None
    bpb: float | None
    eval_ms: float | None
    model: int | None
    code: int | None
    total: int | None
    total_eval: bool = False
    """The evaluation time is the log's total."""


ROWS = (
    Golden(
        39,
        "train.log",
        "A",
        1337,
        8,
        599847,
        14421,
        "final_int8_zlib_roundtrip_exact",
        1.22296644,
        1284,
        15803327,
        50919,
        15854246,
    ),
    Golden(
        60,
        "train_seed42.log",
        "A",
        42,
        8,
        600069,
        10695,
        "final_int8_zlib_roundtrip_exact",
        1.17423973,
        159776,
        15294888,
        55483,
        15350371,
    ),
    Golden(
        430,
        "run_seed42.log",
        "A",
        1337,
        8,
        582033,
        5638,
        "final_int6_ttt_exact",
        1.08778131,
        504078,
        16876063,
        98131,
        16974194,
    ),
    Golden(
        549,
        "train_seed42.log",
        "A",
        42,
        8,
        600128,
        7182,
        "legal_ttt_exact",
        1.12002032,
        408049,
        15787052,
        89458,
        15876510,
    ),
    Golden(
        640, "ternary_log_1337.txt", "D", 1337, 8, 599128, 6520, "final_sliding", 1.1568, 428712, None, 70853, 15995705
    ),
    Golden(
        753,
        "train_seed2045.log",
        "A",
        2045,
        8,
        600046,
        6815,
        "final_int6_sliding_window_ngram7_exact",
        0.96202763,
        141734,
        15603992,
        106211,
        15710203,
    ),
    Golden(803, "train_seed42.log", "C", 42, 8, 600028, 4648, "ttt_x", 0.70068785, 461764, None, 94053, None),
    Golden(
        883,
        "train_seed42.log",
        "A",
        42,
        4,
        582035,
        1279,
        "final_int6_ttt_exact",
        0.03379742,
        944860,
        6839098,
        98181,
        6937279,
    ),
    Golden(
        1065,
        "train_seed42.log",
        "A",
        42,
        8,
        599910,
        7184,
        "final_int6_zstd_roundtrip_exact",
        1.15449812,
        148921,
        15693412,
        49479,
        15742891,
    ),
    Golden(
        1218,
        "train_seed42.log",
        "A",
        42,
        8,
        590022,
        5967,
        "final_int6_sliding_window",
        1.09743840,
        65493,
        15847061,
        68207,
        15915268,
    ),
    Golden(
        1392,
        "train_seed314.log",
        "A",
        314,
        8,
        600096,
        5945,
        "final_int8_zlib_roundtrip_exact",
        1.10181145,
        71237,
        15792991,
        143667,
        15936658,
    ),
    Golden(
        1412,
        "train.log",
        "B",
        1337,
        8,
        588103,
        5178,
        "quantized_sliding_window",
        1.08300961,
        82837,
        15976275,
        78688,
        16054963,
    ),
    Golden(
        1493,
        "train_seed42.log",
        "B",
        42,
        8,
        588047,
        4550,
        "quantized_ttt",
        1.08079352,
        366525,
        15975300,
        16630,
        15991930,
    ),
    Golden(1544, "train_seed42.log", "E", 42, None, 590000, 1857, "XSA BPB", 1.031736, None, None, None, 15188240),
    Golden(
        1610,
        "logs/train0.txt",
        "epoch",
        0,
        8,
        587091,
        4832,
        "quantized_ttt_phased",
        1.07216564,
        500100,
        15968098,
        28599,
        15996697,
        True,
    ),
    Golden(
        1736,
        "train_seed42.log",
        "B",
        42,
        8,
        596176,
        4854,
        "quantized_ttt_phased",
        1.06610085,
        396900,
        15950809,
        28025,
        15978834,
        True,
    ),
    Golden(
        1747, "train_seed42.log", "A", 42, 8, 600036, 6666, "final_sgd_ttt", 1.0820, 365257, 15693944, 87232, 15781176
    ),
    Golden(
        1776,
        "train_seed42.log",
        "B",
        42,
        8,
        588087,
        4605,
        "quantized_sliding_window_ttt",
        1.08152332,
        429656,
        15973790,
        72758,
        16046548,
    ),
    Golden(
        1812,
        "seed42.log",
        "default",
        1337,
        8,
        600100,
        4648,
        "quantized_ttt",
        1.07303003,
        310499,
        15975752,
        19646,
        15995398,
    ),
    Golden(
        1855,
        "train_seed42.log",
        "B",
        42,
        8,
        599592,
        4945,
        "quantized_ttt_phased",
        1.05989454,
        508800,
        15865260,
        31999,
        15897259,
        True,
    ),
    Golden(
        1959,
        "train_seed42.log",
        "minutes",
        42,
        4,
        21.9 * 60_000,
        4500,
        "quantized_ttt",
        1.07974209,
        438586,
        15977849,
        66546,
        16044395,
    ),
    Golden(
        1967,
        "train_seed42.log",
        "B",
        42,
        8,
        585331,
        4895,
        "quantized_ttt_phased",
        1.05764263,
        575900,
        15949305,
        45910,
        15995215,
        True,
    ),
    Golden(
        2060,
        "train_seed42.log",
        "B",
        42,
        8,
        596142,
        4868,
        "quantized_ttt_phased",
        1.05781454,
        397100,
        15928981,
        42772,
        15971753,
        True,
    ),
    Golden(
        2097,
        "train_seed42.log",
        "B",
        42,
        8,
        592067,
        4919,
        "quantized_ttt_phased",
        1.05897113,
        508000,
        15944405,
        34205,
        15978610,
        True,
    ),
    Golden(304, "train_seed1337.log", "A", 1337, 8, 599967, 5109, None, None, None, 15691550, 73542, 15765092),
)


def synthetic(row: Golden) -> str:
    """Write a log of the row's grammar that states the row's values among decoys."""
    lines = {"C": _compact, "D": _ternary, "E": _bars, "minutes": _block}.get(
        row.style, _colon if row.style == "A" else _block
    )(row)
    if row.style == "epoch":
        lines = [f"{1776143356 + index}.801 {line}" for index, line in enumerate(lines)]
    if row.style == "default":
        lines = [f"[default0]:{line}" for line in lines] + ["[default1]:seed: 99"]
    return "\n".join(lines) + "\n"


def _sizes(row: Golden) -> list[str]:
    assert row.model is not None and row.code is not None and row.total is not None
    return [
        "Serialized model: 104857600 bytes",
        f"Code size: {row.code} bytes",
        f"Total submission size: {104857600 + row.code} bytes",
        f"Serialized model int6+zstd: {row.model} bytes",
        f"Total submission size int6+zstd: {row.total} bytes",
    ]


def _metric(row: Golden) -> list[str]:
    if row.name is None or row.bpb is None:
        return []
    value = f"{row.bpb:.8f}" if len(repr(row.bpb)) > 6 else f"{row.bpb:.4f}"
    plain = row.name.removesuffix("_exact")
    spent = f" eval_time:{row.eval_ms:.0f}ms" if row.eval_ms and not row.total_eval else ""
    found = [
        "DIAGNOSTIC post_ema val_loss:2.1000 val_bpb:1.9000 eval_time:2000ms",
        f"{plain} val_loss:2.0000 val_bpb:{row.bpb:.4f}{spent}",
    ]
    if plain != row.name or value != f"{row.bpb:.4f}":
        found.append(f"{row.name} val_loss:2.00000000 val_bpb:{value}")
    if row.total_eval and row.eval_ms:
        found.append(f"total_eval_time:{row.eval_ms / 1000:.1f}s")
    return found


def _colon(row: Golden) -> list[str]:
    """Family A: `step:n/m key:value` lines, one-line settings."""
    return [
        f"world_size:{row.world} grad_accum_steps:1",
        "train_batch_tokens:524288 train_seq_len:1024 iterations:20000 warmup_steps:20 max_wallclock_seconds:600.000",
        f"seed:{row.seed}",
        "step:0/20000 val_loss:6.9000 val_bpb:4.1000 train_time:0ms step_avg:0.01ms",
        *(f"step:{n}/20000 train_loss:3.1 train_time:{n * 80}ms step_avg:80.00ms" for n in (1, 200, 400, 600, 800)),
        f"step:{row.steps}/20000 val_loss:2.1000 val_bpb:1.3000 train_time:{row.stop_ms:.0f}ms step_avg:81.00ms",
        f"stopping_early: wallclock_cap train_time:{row.stop_ms:.0f}ms step:{row.steps}/20000",
        "peak memory allocated: 11000 MiB reserved: 11200 MiB",
        *_sizes(row),
        *_metric(row),
    ]


def _block(row: Golden) -> list[str]:
    """Family B: a settings block, `n/m train_loss:` lines in minutes."""
    stop = (
        []
        if row.style == "minutes"
        else [f"stopping_early: wallclock_cap train_time: {row.stop_ms:.0f}ms step: {row.steps}/20000"]
    )
    minutes = (row.stop_ms or 0) / 60_000
    return [
        "Hyperparameters:",
        "  iterations: 20000",
        "  max_wallclock_seconds: 600.0",
        f"  seed: {row.seed}",
        "  spinquant_note: seed:20260416",
        f"  world_size: {row.world}",
        "train_shards: 80",
        "0/20000 val_loss: 9.0 val_bpb: 3.4",
        *(f"{n}/20000 train_loss: 3.3 train_time: 0.{n // 500}m tok/s: 7400000" for n in (1, 500, 1000, 1500)),
        f"{row.steps}/20000 train_loss: 2.9 train_time: {minutes:.1f}m tok/s: 6000000",
        *stop,
        *_sizes(row),
        *_metric(row),
    ]


def _compact(row: Golden) -> list[str]:
    """Family C: `s:n/m tl:x tt:..ms`, and a stop line of its own."""
    return [
        f"seed:{row.seed} ws:{row.world} py:3.12.3",
        *(f"s:{n}/20000 tl:3.1 tt:{n * 120}ms sa:120.00ms" for n in (1, 500, 1000, 1500, 2000)),
        f"stop tt:{row.stop_ms:.0f}ms s:{row.steps}/20000",
        f"code:{row.code}",
        "q_sw_x vl:1.50000000 bpb:0.89000000 t:91000ms",
        f"{row.name} vl:1.18000000 bpb:{row.bpb:.8f} t:{row.eval_ms:.0f}ms",
    ]


def _ternary(row: Golden) -> list[str]:
    """Family D: `step:n/m loss:x t:..ms avg:..ms`, and the size against the budget."""
    return [
        f"seed:{row.seed} world_size:{row.world}",
        *(f"step:{n}/10000 loss:3.1 t:{n * 92}ms avg:92.0ms" for n in (500, 1000, 1500, 2000, 2500)),
        f"stopping_early: wallclock_cap train_time:{row.stop_ms:.0f}ms step:{row.steps}/10000",
        f"budget:{row.total}/16000000 (15.996/16.00MB) FITS code:{row.code}",
        f"{row.name} val_loss:2.9870 val_bpb:{row.bpb} time:{row.eval_ms:.0f}ms",
    ]


def _bars(row: Golden) -> list[str]:
    """Family E: columns with bars, a budget instead of a stop time, `NAME BPB:` results."""
    return [
        f"seed={row.seed}",
        *(f"step {n}/7000 | loss 3.{n % 9} | lr 0.001" for n in (100, 300, 500, 700, 900)),
        f"step {row.steps}/7000 | loss 2.9 | lr 0.001",
        f"Wallclock limit reached ({(row.stop_ms or 0) / 1000:.0f}s)",
        f"Artifact: {row.total} bytes",
        "  EMA BPB:       1.017723",
        "  Quantized BPB: 1.026791",
        f"  XSA BPB:       {row.bpb}",
    ]
