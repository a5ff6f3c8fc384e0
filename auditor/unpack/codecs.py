"""Bounded decoders for what shims use. Every decompressor stops at a cap while it streams; nothing is executed."""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auditor.errors import BudgetExceeded, UnpackError

TEXT_CODECS: dict[str, str] = {
    "base64.b85decode": "b85",
    "base64.a85decode": "a85",
    "base64.b64decode": "b64",
    "base64.standard_b64decode": "b64",
    "base64.urlsafe_b64decode": "b64url",
    "base64.decodebytes": "b64",
    "base64.b32decode": "b32",
    "base64.b16decode": "hex",
    "binascii.a2b_base64": "b64",
    "binascii.unhexlify": "hex",
    "binascii.a2b_hex": "hex",
    "bytes.fromhex": "hex",
}
_TEXT: dict[str, Callable[[Any], bytes]] = {
    "b85": base64.b85decode,
    "a85": base64.a85decode,
    "b64": base64.b64decode,
    "b64url": base64.urlsafe_b64decode,
    "b32": base64.b32decode,
    "hex": lambda data: bytes.fromhex(data.decode("ascii") if isinstance(data, bytes) else data),
}


def decode_text(codec: str, data: str | bytes, **options: Any) -> bytes:
    """Decode a text armour; `UnpackError` where the data is not of that codec."""
    try:
        if codec == "a85":
            known = {k: v for k, v in options.items() if k in ("foldspaces", "adobe")}
            return base64.a85decode(data, **known)
        if codec == "b64" and options.get("altchars"):
            return base64.b64decode(data, altchars=options["altchars"])
        return _TEXT[codec](data)
    except (ValueError, TypeError, binascii.Error, UnicodeError) as error:
        raise UnpackError(f"the literal is not {codec}: {error}") from error


def inflate(data: bytes, cap: int, wbits: int = zlib.MAX_WBITS) -> tuple[str, bytes]:
    """Decompress zlib, gzip or raw deflate; returns (codec name, bytes)."""
    name = "deflate" if wbits < 0 else ("gzip" if wbits > 15 else "zlib")
    try:
        engine = zlib.decompressobj(wbits)
        out = engine.decompress(data, cap + 1)
    except (zlib.error, ValueError) as error:
        raise UnpackError(f"not a {name} stream: {error}") from error
    return name, _whole(name, out, cap, engine.eof)


def bunzip(data: bytes, cap: int) -> tuple[str, bytes]:
    """Decompress bz2, several streams in a row included."""
    return "bz2", _streams("bz2", bz2.BZ2Decompressor, data, cap)


def unxz(
    data: bytes, cap: int, container: int = lzma.FORMAT_AUTO, filters: Sequence[Mapping[str, Any]] | None = None
) -> tuple[str, bytes]:
    """Decompress .xz, .lzma (alone) or a raw filter chain."""
    names = {lzma.FORMAT_RAW: "lzma-raw", lzma.FORMAT_ALONE: "lzma-alone", lzma.FORMAT_XZ: "xz"}
    name = names.get(container) or ("xz" if data[:6] == b"\xfd7zXZ\x00" else "lzma-alone")
    chain = [_filter(item) for item in filters] if filters is not None else None

    def fresh() -> lzma.LZMADecompressor:
        memory = None if container == lzma.FORMAT_RAW else max(cap * 8, 1 << 28)
        return lzma.LZMADecompressor(container, memlimit=memory, filters=chain)

    return name, _streams(name, fresh, data, cap)


def unbrotli(data: bytes, cap: int) -> tuple[str, bytes]:
    """Decompress brotli in small steps, so that the cap holds whatever the library's own limit does."""
    try:
        import brotli
    except ImportError as error:
        raise UnpackError("the payload is brotli and the brotli package is not installed") from error
    engine = brotli.Decompressor()
    out = bytearray()
    try:
        for start in range(0, len(data), 256):
            out += engine.process(data[start : start + 256])
            _check("brotli", len(out), cap)
    except brotli.error as error:
        raise UnpackError(f"not a brotli stream: {error}") from error
    return "brotli", _whole("brotli", bytes(out), cap, bool(engine.is_finished()))


def unzstd(data: bytes, cap: int) -> tuple[str, bytes]:
    """Decompress zstd."""
    try:
        import zstandard
    except ImportError as error:
        raise UnpackError("the payload is zstd and the zstandard package is not installed") from error
    out = bytearray()
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data, read_across_frames=True) as reader:
            while chunk := reader.read(1 << 16):
                out += chunk
                _check("zstd", len(out), cap)
    except zstandard.ZstdError as error:
        raise UnpackError(f"not a zstd stream: {error}") from error
    return "zstd", bytes(out)


def _filter(item: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(item.get("id"), int):
        raise UnpackError("an lzma filter without a known id")
    size = item.get("dict_size")
    if isinstance(size, int) and size > 1 << 28:
        raise BudgetExceeded("lzma dictionary bytes", 1 << 28, size)
    return dict(item)


def _streams(name: str, fresh: Callable[[], Any], data: bytes, cap: int) -> bytes:
    """Decode stream after stream; like the standard library, ignore rubbish behind the first one."""
    out = b""
    first = True
    while data:
        try:
            engine = fresh()
            part = engine.decompress(data, cap + 1 - len(out))
        except (lzma.LZMAError, OSError, ValueError, TypeError, EOFError, MemoryError, OverflowError) as error:
            if not first:
                break
            raise UnpackError(f"not a {name} stream: {error}") from error
        out += part
        _check(name, len(out), cap)
        if not engine.eof and (first and name != "lzma-raw"):
            raise UnpackError(f"the {name} stream is cut off")
        if not engine.eof or name in ("lzma-raw", "lzma-alone"):
            break
        data, first = engine.unused_data, False
    return out


def _check(name: str, size: int, cap: int) -> None:
    if size > cap:
        raise BudgetExceeded(f"decoded bytes ({name})", cap, size)


def _whole(name: str, out: bytes, cap: int, finished: bool) -> bytes:
    _check(name, len(out), cap)
    if not finished:
        raise UnpackError(f"the {name} stream is cut off")
    return out
