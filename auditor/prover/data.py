"""Make the miniature's contest data: a small sentencepiece model and official-format shards with repeating phrases.

Pure functions of a seed. The stream repeats phrases so that n-gram caches find matches, and opens a document every 60
to 130 tokens so that document logic runs. Nothing of the real data set is needed or used.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass

import numpy as np

from auditor.prover.outcome import ProverUnavailable

BOS = 1
SHARD_MAGIC, SHARD_VERSION, SHARD_HEADER = 20240520, 1, 256
FIRST_TEXT_ID = 4
"""Ids below are pad, begin, end and unknown in the contest's tokenizers, and here."""
LETTERS = "etaoinsr"


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A sentencepiece model with the byte counts that the contest's reference computes from it."""

    model: bytes
    vocab: int
    lengths: tuple[int, ...]
    """UTF-8 bytes of every piece, without its leading space; 0 for control pieces."""
    spaced: tuple[bool, ...]
    """True where a piece starts with a space, which counts one byte after anything but a control piece."""
    control: tuple[bool, ...]


def train_tokenizer(vocab: int, byte_fallback: bool) -> Tokenizer:
    """Train a BPE model of `vocab` pieces on invented words. Raise ProverUnavailable without sentencepiece."""
    try:
        import sentencepiece
    except ImportError as error:
        raise ProverUnavailable.missing("sentencepiece") from error
    chooser = random.Random(7)
    words = ["".join(chooser.choices(LETTERS, k=chooser.randint(2, 6))) for _ in range(120)]
    lines = (" ".join(chooser.choices(words, k=12)) for _ in range(400))
    body = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=body, vocab_size=vocab, model_type="bpe", pad_id=0, bos_id=1,
        eos_id=2, unk_id=3, byte_fallback=byte_fallback, character_coverage=1.0, minloglevel=2, num_threads=1,
        hard_vocab_limit=False,
    )  # fmt: skip
    model = sentencepiece.SentencePieceProcessor(model_proto=body.getvalue())
    pieces = [model.id_to_piece(i) for i in range(model.vocab_size())]
    control = tuple(bool(model.is_control(i) or model.is_unknown(i)) for i in range(len(pieces)))
    plain = [p[1:] if p.startswith("▁") else p for p in pieces]
    lengths = [1 if model.is_byte(i) else len(p.encode()) for i, p in enumerate(plain)]
    spaced = tuple(p.startswith("▁") for p in pieces)
    counted = tuple(0 if c else n for n, c in zip(lengths, control, strict=True))
    return Tokenizer(body.getvalue(), len(pieces), counted, spaced, control)


def make_stream(tokenizer: Tokenizer, targets: int, seed: int) -> np.ndarray:
    """Return int64 [targets + 1] tokens: documents of phrases drawn with Zipf's law, one token in twelve at random."""
    chooser = np.random.default_rng(seed)
    usable = [i for i in range(tokenizer.vocab) if not tokenizer.control[i] and i >= FIRST_TEXT_ID]
    text = np.array(usable[-96:])
    phrases = [chooser.choice(text, size=int(chooser.integers(5, 15))) for _ in range(48)]
    weights = 1.0 / np.arange(1, len(phrases) + 1)
    weights /= weights.sum()
    out: list[int] = []
    while len(out) < targets + 1:
        document = [BOS]
        length = int(chooser.integers(60, 131))
        while len(document) < length:
            document.extend(int(t) for t in phrases[int(chooser.choice(len(phrases), p=weights))])
        out.extend(document[:length])
    stream = np.array(out[: targets + 1], dtype=np.int64)
    noise = (chooser.random(stream.size) < 1 / 12) & (stream != BOS)
    stream[noise] = chooser.choice(text, size=int(noise.sum()))
    return stream


def other_tokens(
    tokenizer: Tokenizer, stream: np.ndarray, positions: range, seed: int, alike_only: bool = False
) -> dict[int, int]:
    """Return a different ordinary token for every one of `positions` that is not a document start.

    Of the same bytes' count where there is one: a scorer of bytes then has as many scores as before. `alike_only`
    leaves the others as they are, so that documents stay as long, and are sorted, as before.
    """
    chooser = np.random.default_rng(seed)
    text = [i for i in range(tokenizer.vocab) if not tokenizer.control[i] and i >= FIRST_TEXT_ID][-96:]
    changes = {}
    for position in positions:
        if int(stream[position]) != BOS:
            now = int(stream[position])
            others = [t for t in text if t != now]
            alike = [t for t in others if size_of(tokenizer, t) == size_of(tokenizer, now)]
            choices = alike if alike or alike_only else others
            if choices:
                changes[position] = int(choices[int(chooser.integers(len(choices)))])
    return changes


def size_of(tokenizer: Tokenizer, token: int) -> tuple[int, bool]:
    """Return what decides how many bytes a token counts, whatever comes before it."""
    return tokenizer.lengths[token], tokenizer.spaced[token]


def target_bytes(tokenizer: Tokenizer, stream: np.ndarray) -> np.ndarray:
    """Return int64 [targets]: real bytes of each target token, by the contest's rule for leading spaces."""
    lengths, spaced, control = (np.array(x) for x in (tokenizer.lengths, tokenizer.spaced, tokenizer.control))
    before, target = stream[:-1], stream[1:]
    counted: np.ndarray = lengths[target] + (spaced[target] & ~control[before])
    return counted


def shard(tokens: np.ndarray) -> bytes:
    """Return `tokens` as an official shard: 256 int32 of header, then uint16 tokens, little endian."""
    header = np.zeros(SHARD_HEADER, dtype="<i4")
    header[:3] = SHARD_MAGIC, SHARD_VERSION, tokens.size
    return header.tobytes() + tokens.astype("<u2").tobytes()


def saved(array: np.ndarray) -> bytes:
    """Return `array` in numpy's own file format."""
    body = io.BytesIO()
    np.save(body, array, allow_pickle=False)
    return body.getvalue()
