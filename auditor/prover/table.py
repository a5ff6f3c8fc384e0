"""Which settings the miniature lowers, and to what, as data. Nothing is raised, and nothing goes to or from zero."""

from __future__ import annotations

TABLE: tuple[tuple[str, float], ...] = (
    # Width. Head counts halve, so that grouped attention stays what it was.
    (r"(MODEL_DIM|D_MODEL|N_EMBD|HIDDEN_SIZE|DIM|EMBED_DIM|EMBEDDING_DIM|EMB_DIM|EMBEDDING_SIZE|WIDTH)", 64),
    (r"(NUM_HEADS|N_HEADS?|NUM_ATTENTION_HEADS|HEADS)", 4),
    (r"(NUM_KV_HEADS|N_KV_HEADS?|KV_HEADS)", 2),
    (r"(MLP_HIDDEN|FFN_HIDDEN|HIDDEN_DIM|MLP_DIM|INTERMEDIATE_SIZE|D_FF)", 128),
    (r"(BIGRAM|TRIGRAM|BIGRAM_HASH|NGRAM|ENGRAM)_(EMBED_|HASH_)?DIM", 16),
    (r"VE_DIM", 16),
    (r"(.*_)?(ROPE|ROTARY)_(DIMS?|DIM_HEAD)", 16),
    (r"(BIGRAM|TRIGRAM|NGRAM|BIGRAM_HASH|FOURGRAM)_(VOCAB_SIZE|VOCAB|BUCKETS|TABLE_SIZE)|.*HASH_BUCKETS", 256),
    (r".*(BUCKETS|NUM_BUCKETS|N_BUCKETS)", 256),
    (r".*_RANK", 8),
    # Length.
    (r"(.*_)?(SEQ_LEN|SEQLEN|SEQ_LENGTH|BLOCK_LEN|CONTEXT_LEN|CTX_LEN|BLOCK_SIZE|SEQUENCE_LENGTH|WINDOW_LEN)", 64),
    (r"(.*_)?SEQ_LEN_.*|CTX|CONTEXT|WINDOW|BLOCK", 64),
    (r"(.*_)?STRIDE|HOP|ADVANCE", 16),
    (r"(TRAIN_)?(BATCH_TOKENS|TOTAL_BATCH_SIZE|TRAIN_BATCH_SIZE|BATCH_SIZE_TOKENS)|TOKENS(_PER_STEP)?", 1024),
    (r"VAL_(BATCH_SIZE|BATCH_TOKENS|TOKENS_PER_BATCH)|EVAL_BATCH_TOKENS", 1024),
    (r"(.*_)?CHUNK_TOKENS|(.*_)?CHUNK_TOK", 256),
    (r"TTT_CHUNK_SIZE|TTT_CHUNK|PIECE", 32),
    (r"(.*_)?(BATCH_SEQS|BATCH_WINDOWS|BATCH_DOCS)|SLIDING_BATCH_SIZE|EVAL_BATCH_SIZE|TTT_BATCH_SIZE|SLOT_BATCH.*", 4),
    (r".*PREFIX_DOCS", 8),
    (r"(.*_)?ROWS", 16),
    (r".*MIN_TOKENS", 256),
    # Repetition.
    (r"(ITERATIONS|NUM_ITERATIONS|STEPS|MAX_STEPS|NUM_STEPS|TRAIN_STEPS|TOTAL_STEPS|MAX_ITERS)", 3),
    (r"(COMPILE_)?WARMUP_STEPS|WARMUP_ITERS|(.*_)?WARMUP_(STEPS|ITERS)", 1),
    (r"(.*_)?(TTT|SLOT|ADAPT|LBFGS|DISTILL|GRAD|OPT|DTTT|SDTTT|EGGROLL)_STEPS|SLOT_.*STEPS|SLOT_MAX_ITER", 3),
    (r"(.*_)?(EPOCHS|NUM_EPOCHS)", 2),
    (r"GRAD_ACCUM(ULATION)?(_STEPS)?", 1),
    (r"(SWA|EMA|LAWA)_(EVERY|FREQ)", 1),
    (r"EMA_DECAY", 0.5),  # an average over a thousand steps is after three what training began with
    (r".*(CALIB|CALIBRATION|CAL)(_NUM)?_(BATCHES|SEQS|SAMPLES|STEPS|ITERS|TOKENS)|.*CALIB_N|GPTQ_(N)?SAMPLES", 2),
    (r".*(NUM_SEQS|N_SEQS|GEN_SEQS)|NUM_BATCHES|NUM_SAMPLES|N_SAMPLES", 2),
    (r".*(RECUR|LOOP|QAT|FREEZE|MTP|XSA).*_START_STEP|.*_START_STEP", 2),
)
"""(pattern of the whole setting name, cap), first match decides. Layers stay: settings that name layers need them."""

WIDTH_ROWS, DIM, HEAD, REAL_DIM = 4, 64, 64, 512
"""How many of the first rows shrink the model's width; the width that they shrink it to; what heads mostly have, and
what models mostly are."""


def table_of_width(width: int | None) -> list[tuple[str, float]]:
    """Return the table for a model of that width; wider ones have heads as wide as most scripts' own, None its own."""
    if width is None:
        return list(TABLE[WIDTH_ROWS:])
    if width == DIM:
        return list(TABLE)
    heads = width // HEAD
    caps = (width, heads, heads // 2, 2 * width)
    rows = [row for row in TABLE if "ROTARY" not in row[0]]
    return [(pattern, cap) for (pattern, _), cap in zip(rows[:WIDTH_ROWS], caps, strict=True)] + rows[WIDTH_ROWS:]


def shrunk_weights(width: int | None) -> int:
    """Return by how much a matrix of a model of that width has fewer weights than one of a real model."""
    return 1 if width is None else (REAL_DIM // width) ** 2


STUBS = [
    "flash_attn_interface",
    "flash_attn",
    "flash_attn_3",
    "flash_attn_2_cuda",
    "kernels",
    "triton",
    "liger_kernel",
    "fla",
    "wandb",
    "tqdm",
    "numba",
    "huggingface_hub",
    "mamba_ssm",
    "causal_conv1d",
    "causal_conv1d_cuda",
    "selective_scan_cuda",
    "cutlass_evt_fusion",
    "gram_newton_schulz",
    "tokenizers",
    "transformers",
    "datasets",
    "tiktoken",
    "sklearn",
    "matplotlib",
    "psutil",
    "rans_codec_rs",
    "python_minifier",
    "einops",
    "zstandard",
    "brotli",
    "constriction",
    "lzma_rs",
    "torchao",
    "bitsandbytes",
    "pynvml",
    "nvidia_smi",
]
"""Packages answered by stand-ins where they are not installed."""
