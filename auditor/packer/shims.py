"""Carriers: how compressed bytes stand in a Python file, and the recognition of our own files.

Raw carriers declare latin-1 and hold one byte a character; NUL and CR never occur (the tokenizer refuses the one and
translates the other). ASCII carriers hold 7-bit characters only. `recognise` never evaluates a file: it matches the
templates of this module byte for byte, so that `unpack` can decode with our own code.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zopfli.zlib

from auditor.errors import UnpackError
from auditor.packer import cm_coder, cm_shim
from auditor.packer.cm_model import CmParams
from auditor.packer.codecs import Stream, decompress
from auditor.packer.options import Part

COOKIE = "#coding:L1\n"
DIGITS = "x=0\nfor i in map(ord,@):x=x*{radix}+(i-14)%{ring}\n"
TRACE = "linecache.cache['<string>']=0,None,s.splitlines(1),'';exec(s)"


@dataclass(frozen=True, slots=True)
class Shim:
    """A finished file with its ledger."""

    data: bytes
    codec: str
    carrier: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file that one of our templates produced: how to get its payload, and where the payload's literal stands."""

    codecs: tuple[str, ...]
    origin: tuple[int, int]
    decode: Callable[[int], bytes]
    """Payload bytes, given the most bytes wanted; raises UnpackError or BudgetExceeded."""


def raw_literal(chars: str) -> str | None:
    """Spell characters (no NUL, no CR) as a raw string literal; None where their quotes stand in the way."""
    for quote in ("'", '"'):
        if quote * 3 not in chars and chars[-1:] not in (quote, "\\"):
            return f"r{quote * 3}{chars}{quote * 3}"
    return None


def escaped_literal(data: bytes) -> str:
    """Spell bytes as the shortest latin-1 string literal with escapes."""
    text = data.decode("latin-1").replace("\\", "\\\\").replace("\r", "\\r")
    text = re.sub("\0(?![0-7])", r"\\0", text).replace("\0", r"\x00")
    spelled = []
    for quote in ("'", '"'):
        one_line = text.replace("\n", r"\n").replace(quote, "\\" + quote)
        spelled.append(quote + one_line + quote)
        triple = text.replace(quote * 3, (quote * 2 + "\\" + quote))
        triple = triple[:-1] + "\\" + quote if triple.endswith(quote) else triple
        spelled.append(quote * 3 + triple + quote * 3)
    return min(spelled, key=len)


def _run(call: str, module: str, traced: bool) -> tuple[str, str]:
    """Return the import line and the last line of a shim that runs what `call` yields (bytes)."""
    if traced:
        return f"import {module},linecache\n", f"s={call}.decode();{TRACE}\n"
    return f"import {module}\n", f"exec({call})\n"


def _digits_shim(stream: Stream, radix: int, traced: bool) -> Shim:
    """Carry bytes as one number in base `radix`."""
    imports, last = _run(stream.call, stream.module, traced)
    for junk in range(256):
        data = stream.data + bytes([junk]) * (junk > 0)
        number = int.from_bytes(data, "big")
        literal = raw_literal(cm_coder.to_chars(number, radix, cm_coder.width(number, radix)))
        if literal is not None:
            break
    else:
        raise UnpackError("no spelling of the payload avoids its own quotes")
    loop = DIGITS.format(radix=radix, ring=radix + 1).replace("@", literal)
    head = COOKIE if radix == cm_coder.RAW else ""
    text = head + imports + loop + last.replace("@", f"x.to_bytes({len(data)},'big')")
    parts = (Part("bootstrap", len(text) - len(literal) + 7), Part("payload", len(literal) - 7))
    return Shim(text.encode("latin-1"), stream.codec, "raw" if head else "ascii", parts)


def _literal_shim(stream: Stream, traced: bool) -> Shim:
    """Carry bytes as an escaped latin-1 literal."""
    imports, last = _run(stream.call, stream.module, traced)
    literal = escaped_literal(stream.data)
    text = COOKIE + imports + last.replace("@", f"{literal}.encode('L1')")
    parts = (Part("bootstrap", len(text) - len(literal)), Part("payload", len(literal)))
    return Shim(text.encode("latin-1"), stream.codec, "raw literal", parts)


def wrap(stream: Stream, ascii_only: bool, traced: bool) -> Iterator[Shim]:
    """Yield a compressed text under every carrier that is allowed."""
    if ascii_only:
        yield _digits_shim(stream, cm_coder.ASCII, traced)
        return
    yield _literal_shim(stream, traced)
    yield _digits_shim(stream, cm_coder.RAW, traced)


def wrap_cm(payload: str, params: CmParams, radix: int, traced: bool) -> Shim | None:
    """Return the context-mixing shim around payload characters; None where their quotes stand in the way."""
    literal = raw_literal(payload)
    if literal is None:
        return None
    body = cm_shim.body(params, radix, traced)
    small = min((zopfli.zlib.compress(body.encode(), numiterations=n)[2:-4] for n in (15, 60)), key=len)
    if radix == cm_coder.RAW:
        head, carried, imports = COOKIE, escaped_literal(small) + ".encode('L1')", "import zlib\n"
    else:
        head, carried, imports = "", f"base64.b85decode('{base64.b85encode(small).decode()}')", "import zlib,base64\n"
    start = f"{head}{imports}z=map(ord,{literal})\n"
    text = f"{start}exec(zlib.decompress({carried},-15))\n"
    sizes = (len(text) - len(literal) + 7 - len(carried), len(carried), len(literal) - 7)
    parts = tuple(Part(n, s) for n, s in zip(("bootstrap", "decoder", "payload"), sizes, strict=False))
    return Shim(text.encode("latin-1"), "cm", "raw" if head else "ascii", parts)


_RAW = rb"r(?P<quote>'''|\"\"\")(?P<payload>[^\0\r]*?)(?P=quote)"
_DIGITS = re.compile(
    rb"(?:#coding:L1\n)?import (?P<codec>lzma|zlib|bz2)(?:,linecache)?\nx=0\nfor i in map\(ord,"
    + _RAW
    + rb"\):x=x\*(?P<radix>254|126)\+\(i-14\)%(?:255|127)\n[^\n]*?x\.to_bytes\((?P<size>\d{1,8}),'big'\)[^\n]*\n",
    re.DOTALL,
)
_CM = re.compile(
    rb"(?:#coding:L1\n)?import zlib(?:,base64)?\nz=map\(ord,"
    + _RAW
    + rb"\)\nexec\(zlib\.decompress\((?P<carried>.*),-15\)\)\n",
    re.DOTALL,
)


def recognise(data: bytes) -> Recognised | None:
    """Return how to decode one of our own digit or context-mixing shims; None for any other file."""
    return _recognise_digits(data) or _recognise_cm(data)


def _recognise_digits(data: bytes) -> Recognised | None:
    match = _DIGITS.fullmatch(data)
    if match is None:
        return None
    codec, radix, size = match["codec"].decode(), int(match["radix"]), int(match["size"])
    chars = match["payload"].decode("latin-1")
    packed = cm_coder.from_chars(chars, radix).to_bytes(max(size, len(chars)), "big")[-size:]
    call = {"lzma": "lzma.decompress(@)", "zlib": "zlib.decompress(@,-15)", "bz2": "bz2.decompress(@)"}[codec]
    traced = b",linecache\n" in data[:60]
    if _digits_text(call, codec, match, radix, size, traced) != data:
        return None

    def decode(most: int) -> bytes:
        out = decompress(codec, packed, most)
        if out is None:
            raise UnpackError(f"the {codec} stream of the shim is damaged or larger than {most} bytes")
        return out

    return Recognised((f"radix{radix}", codec), match.span("payload"), decode)


def _digits_text(call: str, codec: str, match: re.Match[bytes], radix: int, size: int, traced: bool) -> bytes:
    """Rebuild the file from what was read; only an equal file is ours."""
    imports, last = _run(call, codec, traced)
    literal = f"r{match['quote'].decode()}{match['payload'].decode('latin-1')}{match['quote'].decode()}"
    loop = DIGITS.format(radix=radix, ring=radix + 1).replace("@", literal)
    head = COOKIE if radix == cm_coder.RAW else ""
    return (head + imports + loop + last.replace("@", f"x.to_bytes({size},'big')")).encode("latin-1")


def _carried(spelled: bytes) -> bytes | None:
    """Return the deflated decoder from its spelling in the file."""
    b85 = re.fullmatch(rb"base64\.b85decode\('([^']*)'\)", spelled)
    if b85 is not None:
        try:
            return base64.b85decode(b85[1])
        except ValueError:
            return None
    latin = re.fullmatch(rb"('''|\"\"\"|'|\")(.*)\1\.encode\('L1'\)", spelled, re.DOTALL)
    if latin is None:
        return None
    named = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"x00": b"\0"}
    plain = re.sub(rb"\\(x00|.)", lambda m: named.get(m[1], m[1]), latin[2], flags=re.DOTALL)
    return plain if escaped_literal(plain).encode("latin-1") + b".encode('L1')" == spelled else None


def _recognise_cm(data: bytes) -> Recognised | None:
    match = _CM.fullmatch(data)
    small = _carried(match["carried"]) if match is not None else None
    body = cm_shim.inflate_body(small, 4_000) if small is not None else None
    found = cm_shim.read_body(body) if body is not None else None
    if match is None or found is None:
        return None
    params, radix = found
    payload = match["payload"].decode("latin-1")

    def decode(most: int) -> bytes:
        text = cm_coder.decode(payload, params, radix, most)
        return text.encode("latin-1")

    return Recognised((f"radix{radix}", "context mixing"), match.span("payload"), decode)
