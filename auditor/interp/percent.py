"""Text formatting with the percent sign: known values make a string, others a text with unknown parts."""

from __future__ import annotations

import re
from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.values import Sym, Text


def percent(m: Machine, template: str, right: Any) -> Any:
    """Evaluate `template % right`."""
    try:
        if isinstance(right, (str, int, float)):
            return template % (right,)
        if isinstance(right, tuple) and all(isinstance(item, (str, int, float)) for item in right):
            return template % right
    except (TypeError, ValueError):
        return m.unknown(right)
    from auditor.interp.expressions import text_of

    values = list(right) if isinstance(right, tuple) else [right]
    pieces = re.split(r"%[-+ #0]*\d*(?:\.\d+)?[sdfgeixr]", template)
    parts: list[Any] = []
    for i, piece in enumerate(pieces):
        parts.append(piece.replace("%%", "%"))
        if i < len(pieces) - 1:
            value = values[i] if i < len(values) else Sym()
            parts.append(value if isinstance(value, (Sym, Text)) else str(value))
    return text_of(parts)
