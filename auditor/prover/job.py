"""Lay out one sandboxed job: harness, data, settings and the variants of the script's run. Bytes in, bytes out."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from auditor.prover import data
from auditor.prover.table import STUBS, TABLE, shrunk_weights, table_of_width

LAUNCHED = {
    "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500",
}  # fmt: skip
"""What torchrun sets for one process."""
SPECIAL_TOKEN = r".*TOKEN_ID"
"""Ids of tokens that a script adds behind the vocabulary, for masks or separators: they come down with it."""
MOST_WINDOWS, TOKENS_PER_READING = 140, 14
"""How often a place may read the clock before time hurries: evaluations do so at most once per window of 16 tokens,
training once per step."""
CHILD = Path(__file__).parent / "child"


@dataclass(frozen=True, slots=True)
class Script:
    """What is run: decoded source, its local modules and what lies beside it."""

    name: str
    """File name of the script as shipped."""
    source: str
    """Decoded and requoted source."""
    helpers: Mapping[str, str] = field(default_factory=dict)
    """Import name -> source of the submission's other Python modules."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files of the submission folder as shipped, by relative path."""
    libraries: Mapping[str, bytes] = field(default_factory=dict)
    """What was compiled for it so far, by the name under which its runs look for it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The reconstructed run environment."""
    calls: tuple[tuple[str, ...], ...] = ((),)
    """Arguments of every call in turn; the last is the one that scores."""
    stages: tuple[tuple[str, ...], ...] = ()
    """Calls of which one alone may score nothing: where the script is trained in one and scored in another."""
    doubtful: tuple[frozenset[str], ...] = ()
    """Sets of names to leave out of the environment, in turn, where the script crashes under it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One rung of the ladder of miniatures, tried in order until one reaches the metric."""

    name: str
    vocab: int = 32
    byte_fallback: bool = False
    real_halves: bool = False
    width: int | None = 64
    """Of the model; None keeps its own width and heads."""
    scale: int = 1
    """How many times longer the text is."""
    launched: bool = False
    """True sets what torchrun sets for the only rank."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A forked copy of a run: from moment `at` on with `changes`, until entry `stop` of `key` is logged."""

    name: str
    at: int
    changes: Mapping[int, int]
    key: int = -1
    stop: int = 0


@dataclass(frozen=True, slots=True)
class Variant:
    """One run from the start, on the stream with `changes`."""

    name: str
    changes: Mapping[int, int] = field(default_factory=dict)
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Miniature:
    """Data of one shape, size and seed."""

    shape: Shape
    tokenizer: data.Tokenizer
    stream: np.ndarray
    seed: int

    @property
    def targets(self) -> int:
        return int(self.stream.size) - 1


@lru_cache(maxsize=8)
def tokenizer_for(vocab: int, byte_fallback: bool) -> data.Tokenizer:
    """Return the tokenizer of that size, trained once per process."""
    return data.train_tokenizer(vocab, byte_fallback)


def miniature(shape: Shape, targets: int, seed: int) -> Miniature:
    """Make the data of `shape`: `targets` scored tokens, times its scale, drawn with `seed`."""
    tokenizer = tokenizer_for(shape.vocab, shape.byte_fallback)
    return Miniature(shape, tokenizer, data.make_stream(tokenizer, targets * shape.scale, seed), seed)


def harness_files() -> dict[str, bytes]:
    """Return the code that a box runs, by path below its scratch."""
    files = {f"harness/auditor/prover/child/{path.name}": path.read_bytes() for path in sorted(CHILD.glob("*.py"))}
    return files | {"harness/auditor/__init__.py": b"", "harness/auditor/prover/__init__.py": b""}


def job_files(
    script: Script,
    mini: Miniature,
    variants: Sequence[Variant],
    seconds: float,
    result_bytes: int,
    only: Sequence[int] | None = None,
) -> tuple[dict[str, bytes], str]:
    """Return the files of a job by path, and the nonce that it must give back."""
    nonce, hook = secrets.token_hex(16), "_" + secrets.token_hex(6)
    vocab = str(mini.tokenizer.vocab)
    job = {
        "nonce": nonce,
        "hook": hook,
        "script": script.name,
        "calls": [list(words) for words in script.calls],
        "environment": {**script.environment, **(LAUNCHED if mini.shape.launched else {})},
        "exact": {"VOCAB_SIZE": vocab, "VOCAB": vocab, "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"},
        "table": [(SPECIAL_TOKEN, mini.tokenizer.vocab), *table_of_width(mini.shape.width)],
        "shrunk": shrunk_weights(mini.shape.width),
        "width": TABLE[0][0],
        "stubs": STUBS,
        "real_halves": mini.shape.real_halves,
        "helpers": sorted(script.helpers),
        "patience": max(MOST_WINDOWS, mini.targets // TOKENS_PER_READING),
        "sidecar": wants_sidecar(script),
        "seconds": seconds,
        "result_bytes": result_bytes,
        "least": mini.targets // 5 if only is None else 1,
        "only": None if only is None else list(only),
        "variants": [variant_json(v) for v in variants],
    }
    files = {"job.json": json.dumps(job).encode()}
    files["payload.py"] = script.source.encode("utf-8", "surrogatepass")
    files["submission/" + script.name] = b""
    files |= {f"helpers/{name}.py": text.encode() for name, text in script.helpers.items()}
    files |= {f"submission/{path}": body for path, body in script.files.items()}
    files |= {f"native/{name}": body for name, body in script.libraries.items()}
    return files | data_files(mini), nonce


def wants_sidecar(script: Script) -> bool:
    """Return True when the script reads a byte sidecar; to all others the file would look like a validation shard."""
    return any("fineweb_val_bytes" in text for text in (script.source, *script.helpers.values()))


def variant_json(variant: Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "changes": {str(p): t for p, t in variant.changes.items()},
        "branches": [
            {
                "name": b.name,
                "at": b.at,
                "changes": {str(p): t for p, t in b.changes.items()},
                "key": b.key,
                "stop": b.stop,
            }
            for b in variant.branches
        ],
    }


def data_files(mini: Miniature) -> dict[str, bytes]:
    """Return tokenizer, train shards and the arrays from which each run writes its validation shard."""
    out = {
        "data/tokenizer.model": mini.tokenizer.model,
        "data/stream.npy": data.saved(mini.stream),
        "data/bytes.npy": data.saved(
            np.array(mini.tokenizer.lengths, dtype=np.int64) + np.array(mini.tokenizer.spaced)
        ),
    }
    for number in range(2):
        tokens = data.make_stream(mini.tokenizer, TRAIN_TOKENS, 1000 + 10 * mini.seed + number)
        out[f"data/fineweb_train_{number:06d}.bin"] = data.shard(tokens)
    return out


TRAIN_TOKENS = 40_000
"""Tokens of each train shard: six tiny steps, calibration batches and a loader that skips some."""
