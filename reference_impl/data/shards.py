"""The official shard format: 256 little-endian int32 of header, then uint16 token ids.

Every file is checked before a token of it is used: a truncated or foreign shard must stop the run, not bend the score.
Nothing here decides what is training and what is validation except the file name, which is checked too.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from reference_impl.errors import DataError

MAGIC = 20240520
VERSION = 1
HEADER_BYTES = 1024


def write_bytes_atomically(path: Path, payload: bytes) -> None:
    """Write, fsync, rename: readers see the old file or the whole new one, never a half. OSError on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as handle:
            handle.write(payload)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def write_shard(path: Path, tokens_N: np.ndarray) -> None:
    """Write token ids as one shard; DataError when an id does not fit uint16."""
    if tokens_N.size and (int(tokens_N.min()) < 0 or int(tokens_N.max()) >= 65_536):
        raise DataError(f"{path}: token ids must be in [0, 65536), found {tokens_N.min()}..{tokens_N.max()}")
    header = np.zeros(256, dtype="<i4")
    header[:3] = MAGIC, VERSION, tokens_N.size
    write_bytes_atomically(path, header.tobytes() + tokens_N.astype("<u2").tobytes())


def open_shard(path: Path) -> np.ndarray:
    """Map a shard read-only as uint16 (N,); DataError names the file, what was expected and what was found."""
    size = path.stat().st_size
    if size < HEADER_BYTES:
        raise DataError(f"{path}: expected a header of {HEADER_BYTES} bytes, found a file of {size}")
    header = np.fromfile(path, dtype="<i4", count=256)
    if int(header[0]) != MAGIC:
        raise DataError(f"{path}: expected magic {MAGIC}, found {int(header[0])}")
    if int(header[1]) != VERSION:
        raise DataError(f"{path}: expected version {VERSION}, found {int(header[1])}")
    count = int(header[2])
    if size != HEADER_BYTES + 2 * count:
        raise DataError(f"{path}: header says {count} tokens ({HEADER_BYTES + 2 * count} bytes), found {size} bytes")
    if count == 0:
        raise DataError(f"{path}: expected tokens, found an empty shard")
    return np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(count,))


def train_files(root: Path) -> list[Path]:
    """Training shards in order; DataError when there is none."""
    files = sorted(root.glob("fineweb_train_*.bin"))
    if not files:
        raise DataError(f"{root}: expected fineweb_train_*.bin, found none")
    return files


def val_files(root: Path) -> list[Path]:
    """Validation shards in order, byte sidecars left out (their names match a careless glob)."""
    files = [path for path in sorted(root.glob("fineweb_val_*.bin")) if "_bytes_" not in path.name]
    if not files:
        raise DataError(f"{root}: expected fineweb_val_*.bin, found none")
    return files


def load_validation(files: list[Path], vocab: int, sequence: int) -> np.ndarray:
    """Concatenate validation shards and keep floor((N-1)/T)*T + 1 tokens, as the official loader does.

    Returns int64 (n*T + 1,). DataError when a token is outside the vocabulary or the split is shorter than one window.
    """
    parts = []
    for path in files:
        part = open_shard(path)
        check_vocabulary(path, part, vocab)
        parts.append(np.asarray(part, dtype=np.int64))
    tokens_N = np.concatenate(parts)
    usable = (tokens_N.size - 1) // sequence * sequence
    if usable <= 0:
        raise DataError(f"{files[0].parent}: expected at least {sequence + 1} validation tokens, found {tokens_N.size}")
    return tokens_N[: usable + 1]


def load_sidecar(root: Path, count: int) -> np.ndarray:
    """Load the byte sidecar (CaseOps): int64 (count,), parallel to the validation tokens."""
    files = sorted(root.glob("fineweb_val_bytes_*.bin"))
    if not files:
        raise DataError(f"{root}: expected fineweb_val_bytes_*.bin for data.byte_sidecar, found none")
    bytes_N = np.concatenate([np.asarray(open_shard(path), dtype=np.int64) for path in files])
    if bytes_N.size < count:
        raise DataError(f"{files[0]}: expected at least {count} entries beside the tokens, found {bytes_N.size}")
    return bytes_N[:count]


def check_vocabulary(path: Path, tokens_N: np.ndarray, vocab: int) -> None:
    """Raise DataError when a token id is not below `vocab`: the wrong tokenizer's shards."""
    largest = int(tokens_N.max())
    if largest >= vocab:
        raise DataError(
            f"{path}: expected token ids below {vocab}, found {largest}; is this another tokenizer's shard?"
        )
