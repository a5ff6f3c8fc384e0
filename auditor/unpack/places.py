"""Byte ranges of literals in a layer: the source map between a decoded layer and the shim around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

_NEWLINE = re.compile(r"\r\n|\r|\n")


def literal_ranges(raw: bytes, text: str) -> Callable[[ast.Constant], tuple[int, int] | None]:
    """Return a function from a literal of the parsed layer to its half-open byte range in `raw`.

    The parser counts columns in UTF-8; the file may be in another encoding, so columns go through characters.
    """
    starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
    single = len(raw) == len(text)
    skip = 3 if raw.startswith(b"\xef\xbb\xbf") else 0

    def place(line: int, column: int) -> int:
        start = starts[line - 1]
        end = starts[line] if line < len(starts) else len(text)
        characters = len(text[start:end].encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))
        position = start + characters
        return position if single else skip + len(text[:position].encode("utf-8", "surrogatepass"))

    def locate(node: ast.Constant) -> tuple[int, int] | None:
        if node.end_lineno is None or node.end_col_offset is None or node.end_lineno > len(starts):
            return None
        return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)

    return locate
