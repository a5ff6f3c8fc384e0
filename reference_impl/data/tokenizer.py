"""SentencePiece BPE with the official options, and the byte table that turns nats into bits per byte.

The table rule (spec 2.1): a piece costs the UTF-8 bytes of its text, the leading space mark costs one byte unless the
previous token is a boundary, a byte-fallback piece costs exactly one, control pieces cost none. Counting the space in
the table *and* at evaluation is the best-known metric bug of the contest; it is counted in one place here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece as spm

from reference_impl.errors import DataError

SPACE_MARK = "\u2581"


@dataclass(frozen=True)
class ByteTable:
    """Per token id: bytes without its space, whether it starts with a space, whether it is a boundary. All (V,)."""

    base_V: np.ndarray
    lead_V: np.ndarray
    bound_V: np.ndarray

    def count(self, previous_N: np.ndarray, target_N: np.ndarray) -> np.ndarray:
        """Bytes charged for each target given the token before it: int64 (N,)."""
        space_N = self.lead_V[target_N] & ~self.bound_V[previous_N]
        return self.base_V[target_N].astype(np.int64) + space_N.astype(np.int64)


def load_tokenizer(path: Path, vocab: int) -> Any:
    """Load a SentencePiece model; DataError when it is missing, does not fit `vocab`, or could lose spaces."""
    if not path.exists():
        raise DataError(f"{path}: expected a SentencePiece model, found no file")
    tokenizer = spm.SentencePieceProcessor(model_file=str(path))
    if tokenizer.vocab_size() > vocab:
        raise DataError(f"{path}: expected at most {vocab} pieces (model.vocab), found {tokenizer.vocab_size()}")
    if tokenizer.piece_to_id(SPACE_MARK) == tokenizer.unk_id():
        raise DataError(f"{path}: expected the lone space piece in the vocabulary, found none; spaces would be lost")
    return tokenizer


def byte_table(tokenizer: Any, vocab: int) -> ByteTable:
    """Build the byte table of a tokenizer, padded to `vocab` with boundary entries of zero bytes."""
    size = max(tokenizer.vocab_size(), vocab)
    base_V, lead_V, bound_V = np.zeros(size, np.int16), np.zeros(size, bool), np.ones(size, bool)
    for token in range(tokenizer.vocab_size()):
        if tokenizer.is_control(token) or tokenizer.is_unknown(token) or tokenizer.is_unused(token):
            continue
        bound_V[token] = False
        if tokenizer.is_byte(token):
            base_V[token] = 1
            continue
        piece = tokenizer.id_to_piece(token)
        if piece.startswith(SPACE_MARK):
            lead_V[token] = True
            piece = piece[len(SPACE_MARK) :]
        base_V[token] = len(piece.encode("utf-8"))
    return ByteTable(base_V, lead_V, bound_V)


def train_tokenizer(texts: list[str], prefix: Path, vocab: int, symbols: tuple[str, ...] = ()) -> None:
    """Train a BPE with the contest's options; writes `prefix`.model.

    With `symbols` (CaseOps operators) these are reserved, and the normaliser is the identity: a lossless transform
    before a lossy tokenizer would be pointless.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([text.replace("\0", " ").strip() for text in texts]),
        model_prefix=str(prefix),
        model_type="bpe",
        vocab_size=vocab,
        character_coverage=0.999,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity" if symbols else "nmt_nfkc",
        remove_extra_whitespaces=not symbols,
        add_dummy_prefix=False,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        user_defined_symbols=list(symbols),
        max_sentence_length=1 << 20,
        num_threads=1,
        minloglevel=2,
    )


def encode_documents(tokenizer: Any, texts: list[str]) -> np.ndarray:
    """Encode each document as [BOS] + pieces and concatenate: int64 (N,)."""
    parts = [np.asarray([tokenizer.bos_id(), *tokenizer.encode(text)], np.int64) for text in texts]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
