"""Bytes of tokenizer pieces: with the word-boundary mark still in them, or taken out."""

from __future__ import annotations

import pytest

from tests.interp.scripts import MODEL, REPORT, analysed

SETUP = """
import sentencepiece as spm
MARK = "\u2581"
sp = spm.SentencePieceProcessor(model_file="tok.model")
def table():
    {body}
def measure(net):
    sizes = table()
    nll, size = 0.0, 0
    with torch.no_grad():
        for i in range(chunks):
            x, y = rows(val, i)
            for one, token in zip(price(net, x, y), y.view(-1)):
                nll += float(one)
                size += sizes[int(token)]
    return nll / size
loss = measure(net)
"""


def pieces(body: str) -> int:
    found = analysed(MODEL + SETUP.replace("{body}", body) + REPORT)
    assert found.composition is not None
    assert found.composition.scores
    return len(found.composition.pieces)


def test_the_mark_counts_as_three_bytes() -> None:
    """Nothing in the function takes the mark out of the piece before it is measured."""
    assert pieces('return [len(sp.id_to_piece(i).encode("utf-8")) for i in range(1024)]')


@pytest.mark.parametrize(
    "body",
    [
        'return [len(sp.id_to_piece(i).replace("\\u2581", " ").encode("utf-8")) for i in range(1024)]',
        'return [len(sp.id_to_piece(i).lstrip("\\u2581").encode()) for i in range(1024)]',
        'return [len(sp.id_to_piece(i).encode().replace(b"\\xe2\\x96\\x81", b" ")) for i in range(1024)]',
        "return [len(sp.decode([i]).encode()) for i in range(1024)]",
        "return [len((p[1:] if p.startswith(MARK) else p).encode()) for p in map(sp.id_to_piece, range(1024))]",
        "return [len(sp.id_to_piece(i).lstrip(MARK).encode()) for i in range(1024)]",
    ],
)
def test_a_table_without_the_mark_is_not_spoken_of(body: str) -> None:
    assert not pieces(body)
