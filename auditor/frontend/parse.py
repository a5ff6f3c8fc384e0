"""Parse source bytes with the host's own parser, and with a same-width requote where only f-strings stop it.

It parses and never executes. A parse that could exhaust the process is tried in a limited child first.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache

from auditor.frontend import pep701
from auditor.frontend.child import child_refusal
from auditor.frontend.fstrings import Scan, scan
from auditor.limits import DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed source: `tree` None where the host cannot parse it, with the reason in `error`."""

    text: str | None
    tree: ast.Module | None
    requoted: bool = False
    error: str | None = None
    line: int | None = None
    column: int | None = None
    undecided: bool = False
    """The parse gave up on a resource, which says nothing about the syntax."""
    scanned: Scan | None = None
    """The source's f-strings."""


def decode(raw: bytes) -> str:
    """Decode Python source by its BOM or PEP 263 line; `SyntaxError` or `UnicodeDecodeError` where it cannot be."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    return raw.decode(encoding)


@lru_cache(maxsize=8)
def parse(raw: bytes) -> Parsed:
    """Parse one layer."""
    try:
        text = decode(raw)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        return Parsed(None, None, error=str(error))
    scanned = scan(text)
    if scanned.depth > DEFAULT_LIMITS.frontend.nesting or len(raw) > DEFAULT_LIMITS.frontend.in_process_bytes:
        refusal = child_refusal(raw, DEFAULT_LIMITS.frontend)
        if refusal is not None:
            return Parsed(text, None, error=refusal, undecided=True, scanned=scanned)
    first = replace(_parse(raw, text), scanned=scanned)
    if first.tree is not None or not any(True for _ in pep701.places(scanned.formatted, text)):
        return first
    changed, _ = pep701.requote(scanned.formatted, text)
    second = _parse(changed.encode("utf-8", "surrogatepass"), text, recode=True)
    return replace(second, requoted=second.tree is not None, scanned=scanned)


def _parse(raw: bytes, text: str, *, recode: bool = False) -> Parsed:
    source: bytes | str = raw.decode("utf-8", "surrogatepass").removeprefix("\ufeff") if recode else raw
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Parsed(text, ast.parse(source))
    except SyntaxError as error:
        return Parsed(text, None, error=error.msg, line=error.lineno, column=error.offset)
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        return Parsed(text, None, error=f"{type(error).__name__}: {error}", undecided=True)
