"""Compress with what a target's standard library decodes, searching each codec's settings; brotli and zstd on request.

Each result carries the expression that undoes it, so that a carrier needs no knowledge of codecs.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import brotli
import zopfli.zlib
import zstandard

from auditor.packer.options import Level


@dataclass(frozen=True, slots=True)
class Stream:
    """A compressed text: `module` to import and `call` with `@` for the expression of the bytes."""

    codec: str
    data: bytes
    module: str
    call: str


def decompress(codec: str, data: bytes, most: int) -> bytes | None:
    """Undo a stream of a shim that was recognised, up to `most` bytes; None where it is damaged or larger.

    Only the standard-library codecs are needed here: other carriers are plain literals.
    """
    try:
        if codec == "lzma":
            out = lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(data, most + 1)
        elif codec == "zlib":
            out = zlib.decompressobj(-15).decompress(data, most + 1)
        else:
            out = bz2.BZ2Decompressor().decompress(data, most + 1)
    except (lzma.LZMAError, zlib.error, OSError, EOFError):
        return None
    return out if len(out) <= most else None


def _alone(text: bytes, **options: int) -> bytes:
    chain = [{"id": lzma.FILTER_LZMA1, **options}]
    whole = lzma.compress(text, lzma.FORMAT_ALONE, filters=chain)
    known = whole[:5] + len(text).to_bytes(8, "little") + whole[13:]
    return _shortest_prefix(known, text)


def _shortest_prefix(stream: bytes, text: bytes) -> bytes:
    """Drop the end marker: with the size in the header, decoding stops before it."""
    for cut in range(12, 0, -1):
        try:
            if lzma.decompress(stream[:-cut]) == text:
                return stream[:-cut]
        except (lzma.LZMAError, EOFError):
            continue
    return stream


def _lzma(text: bytes, level: Level) -> bytes:
    size = 1 << max(12, (len(text) - 1).bit_length())
    if level is Level.FAST:
        return _alone(text, preset=6, dict_size=size, lc=3, lp=0, pb=0)
    finders = (lzma.MF_BT4, lzma.MF_BT3)
    best = b""
    for finder, nice in product(finders, (273, 64, 40)):
        data = _alone(text, preset=9, dict_size=size, lc=3, lp=0, pb=0, mf=finder, nice_len=nice, depth=4000)
        if not best or len(data) < len(best):
            best, chosen = data, (finder, nice)
    for lc, lp in ((0, 0), (1, 0), (2, 0), (4, 0)):
        finder, nice = chosen
        data = _alone(text, preset=9, dict_size=size, lc=lc, lp=lp, pb=0, mf=finder, nice_len=nice, depth=4000)
        best = min(best, data, key=len)
    return best


def _deflate(text: bytes, level: Level) -> bytes:
    if level is Level.FAST:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(text) + packer.flush()
    return bytes(zopfli.zlib.compress(text, numiterations=15)[2:-4])


def streams(text: bytes, level: Level, allowed: frozenset[str]) -> Iterator[Stream]:
    """Yield the text under every codec that the level and `allowed` ("brotli", "zstd") admit."""
    yield Stream("lzma", _lzma(text, level), "lzma", "lzma.decompress(@)")
    if level is Level.FAST:
        return
    yield Stream("zlib", _deflate(text, level), "zlib", "zlib.decompress(@,-15)")
    yield Stream("bz2", bz2.compress(text, 9), "bz2", "bz2.decompress(@)")
    if "brotli" in allowed:
        best = min((brotli.compress(text, quality=11, mode=m, lgwin=w) for m in (0, 1) for w in (16, 24)), key=len)
        yield Stream("brotli", best, "brotli", "brotli.decompress(@)")
    if "zstd" in allowed:
        packer = zstandard.ZstdCompressor(level=22, write_content_size=True, write_checksum=False)
        yield Stream("zstd", packer.compress(text), "zstandard", "zstandard.decompress(@)")
