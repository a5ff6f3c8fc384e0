"""Pack, unpack and repair scripts: the public Python API behind `pgolf pack`, `pgolf unpack` and `pgolf fix`."""

from __future__ import annotations

import base64
import codecs
import difflib
import gc
import io
import lzma
import os
import tempfile
import time
import tokenize
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import FrontendError, IntakeError
from auditor.frontend.parse import decode
from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.model.source import Unpacked
from auditor.packer.bundle import bundle
from auditor.packer.minify import Minified, minify
from auditor.packer.options import PackOptions, Part
from auditor.packer.passes import Withheld
from auditor.packer.printing import escape
from auditor.packer.search import Choice, search
from auditor.packer.shims import Shim
from auditor.packer.source import Source, read, repair
from auditor.packer.verify import Decoded, check_static, decode_elsewhere
from auditor.unpack import unpack as unpack_layers


@dataclass(frozen=True, slots=True)
class PackResult:
    """A packed script and the account of its bytes."""

    data: bytes
    carried: bytes
    """The text inside, as it runs."""
    codec: str
    carrier: str
    parts: tuple[Part, ...]
    original_bytes: int
    """Size of the file or of all modules given."""
    common_bytes: int
    """Size of the same source as xz + b85 in one exec line, the usual shim."""
    applied: tuple[str, ...]
    withheld: tuple[Withheld, ...]
    notes: tuple[str, ...]
    decoded: tuple[Decoded, ...] = ()
    decode_s: float | None = None
    """CPU seconds that unpacking a context-mixed payload took here, None for other codecs."""


def _silent(_: str) -> None:
    """Default progress: none."""


def load(path: Path, entry: str, target: tuple[int, int], limits: Limits = DEFAULT_LIMITS) -> tuple[Source, int]:
    """Read a script, or bundle a package directory; return the text to pack and the bytes that were read."""
    if path.is_dir():
        text, size = bundle(path, entry, limits.pack)
        source = read(text.encode(), path.name, target, limits)
        return source, size
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"{path}: {error.strerror}") from error
    return read(raw, path.name, target, limits), len(raw)


def _common(text: str) -> int:
    raw = text.encode()
    # A window that just holds the text: the preset's own takes 64 MB of tables, five times as long, to the same size.
    window = max(4096, 1 << (len(raw) - 1).bit_length())
    chain = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": window}]
    payload = base64.b85encode(lzma.compress(raw, filters=chain))
    return len(payload) + len("import lzma as L,base64 as B\nexec(L.decompress(B.b85decode('')))")


def _uncompressed(choice: Choice, texts: list[Minified], options: PackOptions) -> Choice:
    """Return the plain text itself where no shim is smaller than it."""
    best = min(texts, key=lambda t: len(t.text.encode()))
    raw = best.text.encode()
    if len(raw) > len(choice.shim.data) or (options.ascii and not raw.isascii()):
        return choice
    shim = Shim(raw, "none", "source", (Part("source", len(raw)),))
    return Choice(best, shim, raw, choice.notes)


def pack(
    path: Path,
    options: PackOptions,
    entry: str = "__main__",
    verify: bool = False,
    progress: Callable[[str], None] = _silent,
    limits: Limits = DEFAULT_LIMITS,
) -> PackResult:
    """Pack a script or package; the result is checked statically, and by other interpreters with `verify`.

    Raises FrontendError or IntakeError where it cannot be packed, UnpackError where a check fails.
    """
    with _uncollected():
        return _pack(path, options, entry, verify, progress, limits)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the collector off: trees of a script make it run hundreds of times (a tenth of `fast`) and free nothing."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _pack(
    path: Path, options: PackOptions, entry: str, verify: bool, progress: Callable[[str], None], limits: Limits
) -> PackResult:
    source, size = load(path, entry, options.target, limits)
    progress(f"{len(source.text):,} characters to pack")
    texts = minify(source.text, options)
    choice = _uncompressed(search(texts, options, limits.pack, progress), texts, options)
    start = time.process_time()
    check_static(choice.shim.data, choice.carried, options.target)
    seconds = time.process_time() - start
    decoded = decode_elsewhere(choice.shim.data, choice.carried) if verify and choice.shim.codec != "none" else ()
    return PackResult(
        data=choice.shim.data,
        carried=choice.carried,
        codec=choice.shim.codec,
        carrier=choice.shim.carrier,
        parts=choice.shim.parts,
        original_bytes=size,
        common_bytes=_common(source.text),
        applied=choice.minified.applied,
        withheld=choice.minified.withheld,
        notes=(*source.notes, *choice.notes),
        decoded=decoded,
        decode_s=seconds if choice.shim.codec == "cm" else None,
    )


def check(path: Path, shipped: Path, options: PackOptions, entry: str = "__main__") -> list[str]:
    """Return what is wrong with a shipped shim against its readable source; empty where they agree.

    Packs nothing: it compares the shim's payload with the texts that packing would carry.
    """
    source, _ = load(path, entry, options.target)
    if not shipped.is_file():
        return [f"{shipped} does not exist"]
    payload = unpack_file(shipped).payload.raw
    texts = {t.text for t in minify(source.text, options)} | {source.text}
    if any(_same_script(payload, text) for text in texts):
        return []
    return [f"{shipped} does not hold what {path} packs to: pack again"]


def _same_script(payload: bytes, text: str) -> bool:
    return payload in (text.encode(), (escape(text) or text).encode())


def unpack_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> Unpacked:
    """Decode the layers of a script without running it; sibling files are read from its folder."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise IntakeError(f"{path}: {error.strerror}") from error

    def sibling(relative: str) -> bytes | None:
        target = (path.parent / relative).resolve()
        inside = path.parent.resolve() in target.parents and target.is_file()
        return target.read_bytes() if inside and target.stat().st_size <= limits.unpack.layer_bytes else None

    return unpack_layers(data, path.name, sibling, limits.unpack)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The result of `fix`: the text, its diff to the original, and places that have no mechanical repair."""

    raw: bytes
    """The repaired source in the encoding and with the line ends that it had."""
    diff: str
    left: int
    layer: int
    """0 where the script itself was repaired, more where it is the payload of a shim (pack it anew)."""


def fix(path: Path) -> Fixed:
    """Requote f-strings that need Python 3.12, in a script or in the payload of a shim."""
    layer = unpack_file(path).payload
    try:
        text = decode(layer.raw).removeprefix("\ufeff")
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise FrontendError(f"{path.name} is not text in its declared encoding: {error}") from error
    fixed, left = repair(text)
    before, after = text.splitlines(keepends=True), fixed.splitlines(keepends=True)
    diff = "".join(difflib.unified_diff(before, after, f"{path.name} (before)", f"{path.name} (fixed)", n=0))
    raw = layer.raw
    if fixed != text:
        mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
        raw = mark + fixed.encode(tokenize.detect_encoding(io.BytesIO(raw).readline)[0].removesuffix("-sig"))
    return Fixed(raw, diff, left, layer.index)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
