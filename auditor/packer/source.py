"""From the bytes of a script to the text that is packed: encodings, line ends, f-strings, and shims of other makers.

Everything that cannot be packed is refused here, with the reason, before any work is done.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from auditor.errors import FrontendError
from auditor.frontend import compat, pep701
from auditor.frontend.fstrings import scan
from auditor.frontend.parse import decode, parse
from auditor.limits import Limits
from auditor.packer.pins import last_word
from auditor.packer.shims import recognise
from auditor.packer.walk import nodes
from auditor.unpack import unpack


@dataclass(frozen=True, slots=True)
class Source:
    """A readable script: LF line ends, no BOM, parses on the target and on this host."""

    text: str
    notes: tuple[str, ...]


def repair(text: str) -> tuple[str, int]:
    """Swap quotes in f-strings that need Python 3.12; return the text and the number of places left as they are."""
    scanned = scan(text)
    places = pep701.places(scanned.formatted, text)
    if not places:
        return text, 0
    changed, exact = pep701.requote(scanned.formatted, text)
    if exact:
        return changed, 0
    return text, len(places)


def _text(raw: bytes, name: str) -> tuple[str, list[str]]:
    notes = []
    try:
        text = decode(raw)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise FrontendError(f"{name} is not text in its declared encoding: {error}") from error
    if text.startswith("\ufeff") or raw.startswith(b"\xef\xbb\xbf"):
        text = text.removeprefix("\ufeff")
        notes.append("byte order mark dropped")
    if "\0" in text:
        raise FrontendError(f"{name} holds a null byte")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("line ends turned into LF, as the interpreter reads them")
    return text, notes


DECODING = frozenset(
    [
        *("exec", "compile", "__import__", "map", "ord", "chr", "len", "bytes", "int", "str", "range", "divmod"),
        *("decompress", "LZMADecompressor", "b85decode", "a85decode", "b64decode", "b32decode", "b16decode"),
        *("standard_b64decode", "urlsafe_b64decode", "decodebytes", "unhexlify", "fromhex", "decode", "encode"),
        *("replace", "join", "split", "splitlines", "strip", "rstrip", "lstrip", "to_bytes", "from_bytes", "globals"),
    ]
)
"""Calls by which a shim decodes and runs its payload, and nothing else."""
_PLAIN = (ast.Import, ast.ImportFrom, ast.Assign, ast.AugAssign, ast.Expr, ast.For, ast.Pass)


def only_runs(raw: bytes) -> bool:
    """Say whether a shim does nothing but decode and run its payload, so that the payload can stand for it.

    One that also sets the environment or writes files is a program of its own.
    """
    if recognise(raw) is not None:
        return True
    try:
        tree = ast.parse(raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in nodes(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, _PLAIN):
            return False
        if isinstance(node, ast.Call) and last_word(node.func) not in DECODING:
            return False
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "path", "argv"):
            return False
    return True


def read(raw: bytes, name: str, target: tuple[int, int], limits: Limits) -> Source:
    """Return the text to pack; raise FrontendError where the script cannot be packed for `target`."""
    if len(raw) > limits.pack.source_bytes:
        raise FrontendError(
            f"{name} has {len(raw):,} bytes, more than the {limits.pack.source_bytes:,} that are packed"
        )
    unpacked = unpack(raw, name, lambda _: None, limits.unpack)
    notes: list[str] = []
    if len(unpacked.layers) > 1 and not all(only_runs(layer.raw) for layer in unpacked.layers[:-1]):
        notes.append("a shim that does more than run its payload: packed whole, as it is")
    elif len(unpacked.layers) > 1:
        notes.append(f"already a shim ({' + '.join(unpacked.payload.codecs) or 'literal'}): its payload is packed anew")
        raw = unpacked.payload.raw
    text, more = _text(raw, name)
    text, left = repair(text) if target < (3, 12) else (text, 0)
    if left:
        raise FrontendError(f"{name} has {left} f-strings that need Python 3.12 and cannot be requoted")
    layer = unpacked.payload.index if raw is unpacked.payload.raw else 0
    problems = compat.problems(text.encode(), name, layer, target)
    if problems:
        first = problems[0]
        since = f" (needs Python {first.minimum})" if first.minimum else ""
        raise FrontendError(f"{name}:{first.span.line}:{first.span.column}: {first.message}{since}")
    if unpacked.opaque and raw is unpacked.payload.raw and len(unpacked.layers) > 1:
        notes.append(f"part of the shim could not be read: {unpacked.opaque[0].reason}")
    parsed = parse(text.encode())
    if parsed.tree is None or parsed.requoted:
        why = parsed.error or "its f-strings need a newer one"
        raise FrontendError(f"{name} does not parse on this interpreter: {why}")
    return Source(text, (*notes, *more))
