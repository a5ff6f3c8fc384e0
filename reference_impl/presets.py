"""Named runs. Each number is the one its pull request logged; the illegal evaluations of #398, #865 and #1406 are
replaced by their legal neighbour, and the replacement is said in the docstring.

Selection is a plain chain of comparisons, so that a reader (or a static analyser) can follow it.
"""

from __future__ import annotations

from reference_impl.config import (
    Config,
    DataConfig,
    EvalConfig,
    ModelConfig,
    OptimConfig,
    PlaceConfig,
    QuantConfig,
    RunConfig,
)
from reference_impl.errors import ConfigError

PRESET_NAMES = ("cpu_tiny", "naive_baseline", "sp1024_398", "sp1024_865", "sp1024_1148", "sp1024_1406", "sp8192_1541")


def preset(name: str) -> Config:
    """Return the named configuration; ConfigError lists the names when there is none."""
    if name == "cpu_tiny":
        return cpu_tiny()
    if name == "naive_baseline":
        return naive_baseline()
    if name == "sp1024_398":
        return sp1024_398()
    if name == "sp1024_865":
        return sp1024_865()
    if name == "sp1024_1148":
        return sp1024_1148()
    if name == "sp1024_1406":
        return sp1024_1406()
    if name == "sp8192_1541":
        return sp8192_1541()
    raise ConfigError(f"unknown preset {name!r}; known: {', '.join(PRESET_NAMES)}")


def cpu_tiny() -> Config:
    """Everything at toy size: trains, quantises and adapts in a few minutes on two cores (spec 2.6 anchor)."""
    return Config(
        name="cpu_tiny",
        place=PlaceConfig(
            shards="data/tiny/datasets/tiny_sp1024",
            tokenizer="data/tiny/tokenizers/tiny_1024_bpe.model",
            output="runs/cpu_tiny",
        ),
        data=DataConfig(loader="shuffled"),
        model=ModelConfig(
            vocab=1024,
            layers=4,
            width=64,
            heads=4,
            kv_heads=2,
            mlp_hidden=192,
            activation="leaky2",
            init="orthogonal",
            rope_dims=4,
            rope_train_len=128,
            qk_gain=4.0,
            xsa_last=4,
            ln_scale=True,
            skips="gated",
            embed_std=0.02,
        ),
        optim=OptimConfig(
            row_normalise=True,
            matrix_lr=0.02,
            matrix_wd=0.04,
            embed_lr=0.02,
            embed_wd=0.02,
            scalar_lr=0.02,
            scalar_wd=0.02,
            momentum=0.95,
            momentum_start=0.85,
            momentum_steps=100,
            grad_clip=1.0,
            schedule="fraction",
            warmdown_fraction=0.6,
            ema_decay=0.98,
            ema_warm=True,
            export="ema",
        ),
        run=RunConfig(
            sequence=128,
            batch_tokens=2048,
            sub_batches_per_pass=8,
            iterations=500,
            warmup_steps=2,
            max_seconds=600.0,
            log_every=50,
            checkpoint_every=100,
            dtype="float32",
            compile=False,
            threads=1,
        ),
        quant=QuantConfig(
            method="sdclip",
            gptq=True,
            calibration="train",
            calibration_batches=8,
            small_tensor=1024,
            codec="brotli",
            byte_shuffle=True,
        ),
        eval=EvalConfig(batch=64, stride=64, ttt="sgd", ttt_chunk=4096, ttt_lr=0.002, ttt_epochs=3),
    )


def naive_baseline() -> Config:
    """The contest's starting point: 9 layers, 17,059,912 parameters, int8 + zlib, plain evaluation (README)."""
    return Config(name="naive_baseline", place=PlaceConfig(output="runs/naive_baseline"))


def _sp1024_model(
    activation: str = "leaky2",
    qk_gain: float = 1.5,
    xsa_last: int = 4,
    bigram_rows: int = 1536,
    value_embed: bool = False,
    value_residual: bool = False,
    head_gate: str = "none",
    tail_layers: tuple[int, ...] = (),
) -> ModelConfig:
    """The 11-layer SP1024 stack that #398, #865, #1148 and #1406 share; NTK base active (train length 1024)."""
    return ModelConfig(
        vocab=1024,
        layers=11,
        mlp_hidden=1536,
        activation=activation,
        init="orthogonal",
        rope_dims=16,
        rope_train_len=1024,
        qk_gain=qk_gain,
        xsa_last=xsa_last,
        ln_scale=True,
        skips="plain",
        bigram_rows=bigram_rows,
        smear="v1",
        value_embed_dim=128 if value_embed else 0,
        value_embed_layers=(9, 10) if value_embed else (),
        value_residual=value_residual,
        head_gate=head_gate,
        tail_layers=tail_layers,
    )


def _sp1024_optim(row_normalise: bool = False, swa_every: int = 0, late_qat_below: float = 0.15) -> OptimConfig:
    return OptimConfig(
        row_normalise=row_normalise,
        matrix_lr=0.025,
        matrix_wd=0.04,
        embed_lr=0.035,
        embed_wd=0.04,
        scalar_lr=0.025,
        scalar_wd=0.04,
        momentum=0.99,
        momentum_start=0.92,
        momentum_steps=1500,
        grad_clip=0.3,
        warmdown_steps=3500,
        ema_decay=0.997,
        swa_every=swa_every,
        export="ema",
        late_qat_below=late_qat_below,
    )


def _sp1024_run() -> RunConfig:
    return RunConfig(sequence=2048, batch_tokens=786_432, max_seconds=600.0, reserve_seconds=0.5)


def _sp1024_quant(codec: str, gptq: bool = False) -> QuantConfig:
    return QuantConfig(
        method="lite",
        gptq=gptq,
        calibration="train" if gptq else "none",
        calibration_batches=16 if gptq else 0,
        codec=codec,
        byte_shuffle=False,
        prune_to_fit=True,
    )


def sp1024_398() -> Config:
    """#398's training and model stack; its 20-epoch training on unscored validation is replaced by score-first SGD."""
    return Config(
        name="sp1024_398",
        model=_sp1024_model(activation="relu2", bigram_rows=2048),
        optim=_sp1024_optim(late_qat_below=0.1),
        place=PlaceConfig(output="runs/sp1024_398"),
        run=_sp1024_run(),
        quant=_sp1024_quant("zstd"),
        eval=EvalConfig(stride=64, ttt="sgd", ttt_lr=0.002, ttt_epochs=3),
    )


def sp1024_865() -> Config:
    """#865's stack; its target-keyed hash ratio is replaced by a normalised Dirichlet n-gram over scored tokens."""
    return Config(
        name="sp1024_865",
        model=_sp1024_model(value_residual=True, head_gate="full"),
        optim=_sp1024_optim(swa_every=50),
        place=PlaceConfig(output="runs/sp1024_865"),
        run=_sp1024_run(),
        quant=_sp1024_quant("zstd"),
        eval=EvalConfig(stride=64, ngram="dirichlet", ngram_order=3, ngram_weight=0.05, ngram_tokens=1_000_000),
    )


def sp1024_1148() -> Config:
    """#1148 whole: value embeddings, banks, GPTQ-lite + lzma, score-first Muon TTT with entropy-adaptive epochs."""
    return Config(
        name="sp1024_1148",
        model=_sp1024_model(value_embed=True),
        optim=_sp1024_optim(),
        place=PlaceConfig(output="runs/sp1024_1148"),
        run=_sp1024_run(),
        quant=_sp1024_quant("lzma"),
        eval=EvalConfig(stride=64, ttt="muon", ttt_lr=0.002, ttt_epochs=3, entropy_epochs=True),
    )


def sp1024_1406() -> Config:
    """#1406's stack with its tail recurrence; training on validation before quantisation is replaced by score-first
    TTT.
    """
    return Config(
        name="sp1024_1406",
        model=_sp1024_model(value_embed=True, xsa_last=11, qk_gain=5.0, tail_layers=(4, 5)),
        optim=_sp1024_optim(row_normalise=True),
        place=PlaceConfig(output="runs/sp1024_1406"),
        run=_sp1024_run(),
        quant=_sp1024_quant("lzma", gptq=True),
        eval=EvalConfig(stride=64, ttt="sgd", ttt_lr=0.002, ttt_epochs=3),
    )


def sp8192_1541() -> Config:
    """#1541 whole: loops over layers 3..5, two lanes from layer 7, SDClip GPTQ + brotli, score-first SGD TTT."""
    return Config(
        name="sp8192_1541",
        place=PlaceConfig(
            shards="data/datasets/fineweb10B_sp8192",
            tokenizer="data/tokenizers/fineweb_8192_bpe.model",
            output="runs/sp8192_1541",
        ),
        data=DataConfig(loader="shuffled"),
        model=ModelConfig(
            vocab=8192,
            layers=11,
            mlp_hidden=2048,
            activation="leaky2",
            init="orthogonal",
            rope_dims=16,
            rope_train_len=2048,
            qk_gain=5.25,
            xsa_last=11,
            ln_scale=True,
            skips="gated",
            loop_start=3,
            loop_end=5,
            loop_phases=((0.35, 2),),
            lanes="p2",
            lanes_start=7,
        ),
        optim=OptimConfig(
            row_normalise=True,
            matrix_lr=0.03,
            matrix_wd=0.095,
            embed_lr=0.03,
            embed_wd=0.085,
            scalar_lr=0.02,
            scalar_wd=0.02,
            momentum=0.97,
            momentum_start=0.92,
            momentum_steps=1500,
            grad_clip=0.3,
            schedule="fraction",
            warmdown_fraction=0.72,
            ema_decay=0.9965,
            export="ema",
        ),
        run=RunConfig(sequence=2048, batch_tokens=786_432, max_seconds=600.0, reserve_seconds=20.0),
        quant=QuantConfig(
            method="sdclip", gptq=True, calibration="train", calibration_batches=64, codec="brotli", byte_shuffle=True
        ),
        eval=EvalConfig(stride=64, ttt="sgd", ttt_lr=0.005, ttt_epochs=3),
    )
