"""General compressors and the byte shuffle, behind a one-byte tag. Deterministic: same bytes in, same bytes out."""

from __future__ import annotations

import lzma
import zlib

import brotli
import zstandard

from reference_impl.errors import ArtifactError

CODECS = ("zlib", "lzma", "zstd", "brotli")


def compress(payload: bytes, codec: str) -> bytes:
    """Compress at the strongest setting; the first byte names the codec. Measured bits per int6 weight: spec 5.3."""
    tag = bytes([CODECS.index(codec)])
    if codec == "zlib":
        return tag + zlib.compress(payload, 9)
    if codec == "lzma":
        return tag + lzma.compress(payload, preset=9 | lzma.PRESET_EXTREME)
    if codec == "zstd":
        return tag + zstandard.ZstdCompressor(level=22).compress(payload)
    return tag + brotli.compress(payload, quality=11, lgwin=24)


def decompress(blob: bytes) -> bytes:
    """Undo `compress`; ArtifactError when the tag or the stream is damaged."""
    if not blob or blob[0] >= len(CODECS):
        raise ArtifactError(f"expected a codec tag below {len(CODECS)}, found {blob[:1]!r}")
    codec, body = CODECS[blob[0]], blob[1:]
    try:
        if codec == "zlib":
            return zlib.decompress(body)
        if codec == "lzma":
            return lzma.decompress(body)
        if codec == "zstd":
            return zstandard.ZstdDecompressor().decompress(body)
        return brotli.decompress(body)
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, brotli.error) as error:
        raise ArtifactError(f"expected a {codec} stream of {len(body)} bytes, found a damaged one: {error}") from error


def shuffle_bytes(payload: bytes) -> bytes:
    """Even bytes, then odd bytes: brings the high halves of float16 numbers together."""
    return payload[0::2] + payload[1::2]


def unshuffle_bytes(payload: bytes) -> bytes:
    """Undo `shuffle_bytes`, odd lengths included."""
    half = (len(payload) + 1) // 2
    result = bytearray(len(payload))
    result[0::2], result[1::2] = payload[:half], payload[half:]
    return bytes(result)
