"""The one sanitiser: text from a submission as a person may safely see it.

Every report format sends every string that a submission can influence through `visible` before its own escaping.
It removes nothing silently: what could move a cursor, reorder text, hide or forge becomes a written escape.
"""

from __future__ import annotations

import unicodedata

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, format characters (bidi, zero-width, tags), lone surrogates, private use, unassigned, line separators."""
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and symbols that render as nothing and so can hide text between words."""


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _is_hidden(char: str) -> bool:
    if " " <= char <= "~":
        return False
    return unicodedata.category(char) in _HIDDEN_CATEGORIES or char in _BLANK_LETTERS


def visible(text: str, limit: int | None = None, *, keep: str = "") -> str:
    """Return `text` on one line with every invisible or controlling character written out as an escape.

    `limit` cuts at that many characters of the input and says how many were left out; characters of `keep` (a newline,
    say) pass. A tab becomes four spaces.
    """
    cut = ""
    if limit is not None and len(text) > limit:
        cut = f" [+{len(text) - limit} characters]"
        text = text[:limit]
    if text.isascii() and text.isprintable():
        return text + cut
    parts = []
    for char in text:
        if char in keep:
            parts.append(char)
        elif char == "\t":
            parts.append("    ")
        else:
            parts.append(_escape(char) if _is_hidden(char) else char)
    return "".join(parts) + cut
