"""Bytes of a text file of a submission -> text with LF line ends.

It exists because real logs come in UTF-16, with byte order marks, CRLF, and tqdm bars separated by lone CR. It must
never fail: what is not text is replaced and the reader is told.
"""

from __future__ import annotations

import codecs
import re

_ESCAPES = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]|\x1b[@-_]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decode(data: bytes) -> tuple[str, str]:
    """Return the text with LF line ends, and the name of the encoding that was used ("utf-8 (damaged)" where lossy)."""
    text, encoding = _decode(data)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, encoding


def printable(line: str) -> str:
    """Return a line without terminal escapes and control characters."""
    if line.isprintable():
        return line
    return _CONTROLS.sub("", _ESCAPES.sub("", line))


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith(codecs.BOM_UTF8):
        return data[3:].decode("utf-8", "replace"), "utf-8-sig"
    for bom, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(bom):
            return data[2:].decode(name, "replace"), name
    guessed = _utf16_without_mark(data[:4096])
    if guessed:
        return data.decode(guessed, "replace"), guessed
    if data.isascii():
        return data.decode("ascii"), "ascii"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), "utf-8 (damaged)"


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 of mostly ASCII text has a NUL in every second byte; more than 70 % decides."""
    if len(head) < 8:
        return None
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[start::2]
        if half.count(0) > 0.7 * len(half):
            return name
    return None
