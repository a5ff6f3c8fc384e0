"""Every knob of a run, as frozen dataclasses; a preset is a value, not a mutation of globals.

Knobs live here and in presets.py, never in environment variables read at import: those cannot be tested and silently
accept misspellings. `apply_overrides` is the only way to change a preset from the command line, and it refuses names
that do not exist. Numbers carry their source pull request in presets.py.
"""

from __future__ import annotations

import ast
import dataclasses
from dataclasses import dataclass, field

from reference_impl.errors import ConfigError

VIRTUAL_RANKS = 8
"""A step always consumes 8 sub-batches, whatever the world size: 1, 2, 4 and 8 ranks see the same data."""


@dataclass(frozen=True)
class PlaceConfig:
    """Where things are, and the seed: all that a submission takes from its environment."""

    shards: str = "data/datasets/fineweb10B_sp1024"
    tokenizer: str = "data/tokenizers/fineweb_1024_bpe.model"
    output: str = "runs/default"
    seed: int = 1337  # initialisation and data order


@dataclass(frozen=True)
class DataConfig:
    """How tokens are read."""

    loader: str = "sequential"  # sequential | shuffled | coprime
    byte_sidecar: bool = False  # CaseOps: per-token byte counts come from fineweb_val_bytes_*.bin
    bos_id: int = 1


@dataclass(frozen=True)
class ModelConfig:
    """Shapes and features of the transformer."""

    vocab: int = 1024
    layers: int = 9
    width: int = 512
    heads: int = 8
    kv_heads: int = 4
    mlp_hidden: int = 1024
    activation: str = "relu2"  # relu2 | leaky2 | swiglu
    leaky_slope: float = 0.5
    init: str = "linear"  # linear (baseline) | orthogonal
    embed_std: float = 0.005
    tied: bool = True
    softcap: float = 30.0
    rope_base: float = 10_000.0
    rope_dims: int = 64
    rope_train_len: int = 1024
    qk_gain: float = 1.5
    xsa_last: int = 0
    ln_scale: bool = False
    skips: str = "plain"  # none | plain | gated
    bigram_rows: int = 0
    bigram_dim: int = 128
    smear: str = "none"  # none | v1 | v2
    bos_mask: bool = True
    value_embed_dim: int = 0
    value_embed_layers: tuple[int, ...] = ()
    value_residual: bool = False
    head_gate: str = "none"  # none | full | sparse
    loop_start: int = 0
    loop_end: int = 0
    loop_phases: tuple[tuple[float, int], ...] = ()  # (training fraction, extra passes over start..end)
    tail_layers: tuple[int, ...] = ()
    lanes: str = "none"  # none | p0 | p2 | p3
    lanes_start: int = 0
    document_mask: bool = False

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    @property
    def loops(self) -> int:
        """Extra passes of the final phase: what evaluation and calibration execute."""
        return self.loop_phases[-1][1] if self.loop_phases else 0


@dataclass(frozen=True)
class OptimConfig:
    """Optimiser, schedule and weight averaging."""

    muon: str = "parallel"  # parallel (banks) | plain
    newton_schulz: str = "jordan"  # jordan | polar
    newton_schulz_steps: int = 5
    row_normalise: bool = False  # MuonEq-R
    matrix_lr: float = 0.04
    matrix_wd: float = 0.0
    embed_lr: float = 0.05
    embed_wd: float = 0.0
    scalar_lr: float = 0.04
    scalar_wd: float = 0.0
    head_lr: float = 0.008
    beta1: float = 0.9
    beta2: float = 0.95
    momentum: float = 0.95
    momentum_start: float = 0.85
    momentum_steps: int = 500
    grad_clip: float = 0.0
    schedule: str = "iterations"  # iterations (last N steps) | fraction (last w of the run)
    warmdown_steps: int = 1200
    warmdown_fraction: float = 0.72
    min_lr: float = 0.0
    ema_decay: float = 0.0
    ema_warm: bool = False  # min(decay, (1+t)/(10+t)): for runs shorter than the half-life
    swa_every: int = 0
    swa_below: float = 0.2
    export: str = "last"  # last | ema | swa : fixed here, never chosen by looking at validation
    late_qat_below: float = 0.0


@dataclass(frozen=True)
class RunConfig:
    """Length, batch and budget of training."""

    sequence: int = 1024
    batch_tokens: int = 524_288
    sub_batches_per_pass: int = 1
    iterations: int = 20_000
    warmup_steps: int = 20
    max_seconds: float = 600.0
    reserve_seconds: float = 0.0
    log_every: int = 200
    checkpoint_every: int = 0
    dtype: str = "bfloat16"  # compute type; master weights are float32
    compile: bool = True
    threads: int = 0


@dataclass(frozen=True)
class QuantConfig:
    """Rounding, calibration and compression."""

    method: str = "quantile8"  # quantile8 (baseline int8) | lite (best of five clips a row) | sdclip
    gptq: bool = False
    calibration: str = "none"  # none | train | generated
    calibration_batches: int = 0
    generate_temperature: float = 0.8
    matrix_levels: int = 31
    matrix_k: float = 12.85
    embed_levels: int = 127
    embed_k: float = 20.0
    lqer_top: int = 0
    lqer_rank: int = 4
    small_tensor: int = 65_536
    codec: str = "zlib"  # zlib | lzma | zstd | brotli
    byte_shuffle: bool = False
    prune_to_fit: bool = False
    byte_limit: int = 16_000_000  # decimal bytes, code included


@dataclass(frozen=True)
class EvalConfig:
    """Which evaluations run on the artifact, and how they adapt."""

    batch: int = 32
    stride: int = 0  # 0: no sliding window
    ttt: str = "none"  # none | sgd | muon | lora | phased
    ttt_chunk: int = 32_768
    ttt_lr: float = 0.005
    ttt_epochs: int = 3
    ttt_momentum: float = 0.9
    ttt_clip: float = 1.0
    entropy_epochs: bool = False
    entropy_high: float = 2.1
    entropy_low: float = 1.75
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_lr: float = 1e-3
    lora_chunk: int = 32
    lora_documents: int = 16
    phases: int = 1
    phase_documents: int = 2000
    ngram: str = "none"  # none | ppm | dirichlet
    ngram_order: int = 3
    ngram_weight: float = 0.05
    ngram_kappa: float = 4.0
    ngram_tokens: int = 0


@dataclass(frozen=True)
class Config:
    """One run."""

    name: str = "default"
    place: PlaceConfig = field(default_factory=PlaceConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    quant: QuantConfig = field(default_factory=QuantConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)


CHOICES = {
    "data.loader": ("sequential", "shuffled", "coprime"),
    "model.activation": ("relu2", "leaky2", "swiglu"),
    "model.init": ("linear", "orthogonal"),
    "model.skips": ("none", "plain", "gated"),
    "model.smear": ("none", "v1", "v2"),
    "model.head_gate": ("none", "full", "sparse"),
    "model.lanes": ("none", "p0", "p2", "p3"),
    "optim.muon": ("parallel", "plain"),
    "optim.newton_schulz": ("jordan", "polar"),
    "optim.schedule": ("iterations", "fraction"),
    "optim.export": ("last", "ema", "swa"),
    "run.dtype": ("float32", "bfloat16"),
    "quant.method": ("quantile8", "lite", "sdclip"),
    "quant.calibration": ("none", "train", "generated"),
    "quant.codec": ("zlib", "lzma", "zstd", "brotli"),
    "eval.ttt": ("none", "sgd", "muon", "lora", "phased"),
    "eval.ngram": ("none", "ppm", "dirichlet"),
}
"""Closed sets of words; anything else is refused before a second of training is spent."""


def validate(config: Config) -> Config:
    """Return `config` unchanged, or raise ConfigError with the two numbers that contradict each other."""
    for name, allowed in CHOICES.items():
        section, key = name.split(".")
        value = getattr(getattr(config, section), key)
        if value not in allowed:
            raise ConfigError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
    model, run = config.model, config.run
    if model.width % model.heads or model.heads % model.kv_heads:
        raise ConfigError(f"width {model.width}, heads {model.heads}, kv_heads {model.kv_heads} do not divide")
    if model.rope_dims > model.head_dim or model.rope_dims % 2:
        raise ConfigError(f"rope_dims {model.rope_dims} must be even and at most head_dim {model.head_dim}")
    if run.batch_tokens % (VIRTUAL_RANKS * run.sequence):
        raise ConfigError(f"batch_tokens {run.batch_tokens} is not a multiple of {VIRTUAL_RANKS} x {run.sequence}")
    if config.quant.gptq and config.quant.calibration == "none":
        raise ConfigError("quant.gptq needs quant.calibration=train or generated; validation is never a source")
    if config.optim.export == "ema" and config.optim.ema_decay <= 0:
        raise ConfigError("optim.export=ema needs optim.ema_decay > 0")
    if config.optim.export == "swa" and config.optim.swa_every <= 0:
        raise ConfigError("optim.export=swa needs optim.swa_every > 0")
    chunked = config.eval.ttt in ("sgd", "muon") or config.eval.ngram != "none"
    if chunked and (config.eval.stride <= 0 or config.eval.ttt_chunk % run.sequence):
        raise ConfigError(f"chunked evaluation needs a stride and ttt_chunk a multiple of the sequence {run.sequence}")
    if config.eval.stride and (run.sequence % config.eval.stride or config.eval.ttt_chunk % config.eval.stride):
        raise ConfigError(f"stride {config.eval.stride} must divide sequence {run.sequence} and ttt_chunk")
    return config


def apply_overrides(config: Config, overrides: list[str]) -> Config:
    """Apply "section.field=value" strings; ConfigError on an unknown name or a value of the wrong type."""
    for item in overrides:
        name, equals, text = item.partition("=")
        section_name, dot, key = name.partition(".")
        section = getattr(config, section_name, None)
        known = dataclasses.is_dataclass(section) and any(f.name == key for f in dataclasses.fields(section))
        if not (equals and dot and known):
            raise ConfigError(f"unknown override {item!r}; write section.field=value with a field of config.py")
        changed = dataclasses.replace(section, **{key: _parse_like(getattr(section, key), text, name)})
        config = dataclasses.replace(config, **{section_name: changed})
    return validate(config)


def _parse_like(current: object, text: str, name: str) -> object:
    """Read `text` as a value of the type of `current`."""
    if isinstance(current, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise ConfigError(f"{name}: {text!r} is not a {type(current).__name__}") from error
    if isinstance(current, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(current):
        raise ConfigError(f"{name}: expected {type(current).__name__}, found {type(value).__name__} {text!r}")
    return value
