"""CaseOps: a bijective text transform that moves capitals into operators before BPE (#1729), and its byte sidecar.

Words are maximal ASCII-letter runs. Lower case stays; Title -> TITLE + lower; ALL CAPS (two letters or more) ->
ALLCAPS + lower; any other mix -> TITLE if the first letter is upper, then CAPNEXT before each later capital. The
four operators are private-use characters; where the text itself holds one, ESC stands before it. Bits per byte must
be counted on the *original* bytes, hence the sidecar; the operators cost none.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from reference_impl.errors import DataError

TITLE, ALLCAPS, CAPNEXT, ESCAPE = "\ue001", "\ue002", "\ue003", "\ue004"
OPERATORS = (TITLE, ALLCAPS, CAPNEXT, ESCAPE)
_WORD = re.compile(r"[A-Za-z]+|[\ue001-\ue004]")


def caseops_encode(text: str) -> str:
    """Rewrite capitals as operators; `caseops_decode` is its exact inverse for every string."""
    return _WORD.sub(lambda match: _encode_run(match.group()), text)


def caseops_decode(text: str) -> str:
    """Undo `caseops_encode`."""
    return "".join(original for _, original in _decode_spans(text))


def original_bytes(encoded: str) -> list[int]:
    """UTF-8 bytes of the original text that each character of an encoded text stands for; operators cost none."""
    return [len(original.encode("utf-8", "surrogatepass")) for _, original in _decode_spans(encoded)]


def sidecar_of_tokens(tokenizer: Any, text: str) -> np.ndarray:
    """Sidecar of [BOS] + encode(caseops_encode(text)): int64 (1 + pieces,); BOS is free, a byte piece costs one byte.

    The tokenizer must be lossless (identity normaliser); DataError when its pieces do not spell the encoded text.
    """
    encoded = caseops_encode(text)
    cost = original_bytes(encoded)
    charged, position, pending = [0], 0, b""
    for token in tokenizer.encode(encoded):
        piece = tokenizer.id_to_piece(token)
        if tokenizer.is_byte(token):
            charged.append(1)
            pending += bytes([int(piece[1:-1], 16)])
            complete = position < len(encoded) and pending == encoded[position].encode("utf-8", "surrogatepass")
            position, pending = (position + 1, b"") if complete else (position, pending)
            continue
        charged.append(sum(cost[position : position + len(piece)]))
        position += len(piece)
    if position != len(encoded):
        raise DataError(f"expected pieces that spell {len(encoded)} characters, found {position}; is it lossless?")
    return np.asarray(charged, np.int64)


def _encode_run(run: str) -> str:
    if run in OPERATORS:
        return ESCAPE + run
    if run.islower():
        return run
    if len(run) >= 2 and run.isupper():
        return ALLCAPS + run.lower()
    head = TITLE + run[0].lower() if run[0].isupper() else run[0]
    return head + "".join(CAPNEXT + char.lower() if char.isupper() else char for char in run[1:])


def _decode_spans(text: str) -> list[tuple[str, str]]:
    """Pair every character of the encoded text with the original characters that it stands for."""
    spans: list[tuple[str, str]] = []
    escaped = upper_next = upper_word = False
    for char in text:
        if escaped:
            spans.append((char, char))
            escaped = False
        elif char == ESCAPE:
            spans.append((char, ""))
            escaped, upper_next, upper_word = True, False, False
        elif char in OPERATORS:
            spans.append((char, ""))
            upper_next, upper_word = char != ALLCAPS, char == ALLCAPS
        else:
            letter = char.isascii() and char.isalpha()
            upper_word = upper_word and letter
            spans.append((char, char.upper() if letter and (upper_next or upper_word) else char))
            upper_next = False
    return spans
