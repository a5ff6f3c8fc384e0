"""Run settings that a log prints: `Hyperparameters:` blocks, `k:v` and `k=v` header lines, JSON and Namespace dumps.

Names and values are kept as printed; mapping them to environment variables is the interpreter's business.
"""

from __future__ import annotations

import json
import re

_BLOCK = re.compile(r"\W{0,4}(?:Hyperparameters|Config|Configuration|Args|Settings)\s?:?\W{0,4}$", re.I)
_BLOCK_ROW = re.compile(r"\s{1,8}([A-Za-z_]\w*)\s?[:=]\s?(.*)$")
_PAIR = re.compile(
    r"(?<![\w./\"'-])([A-Za-z_][A-Za-z0-9_]{1,60})\s?[:=]\s?(\"[^\"]{0,200}\"|'[^']{0,200}'|[^\s,;|()]+)"
)
_JSON_ROWS = 400
_MAX_KEYS = 800
_NOT_SETTINGS = frozenset({"step", "val_loss", "val_bpb", "train_loss", "bpb", "loss", "http", "https", "file"})


class Settings:
    """Collect printed settings over the lines of one log."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[str, int]] = {}
        self.block: set[str] = set()
        self._in_block = False
        self._json: list[str] | None = None
        self._json_line = 0

    def feed(self, text: str, number: int, *, header: bool) -> None:
        """Read one log line; `header` says that training has not begun."""
        if self._json is not None:
            self._continue_json(text)
        elif self._in_block and (row := _BLOCK_ROW.match(text)):
            self._put(row[1], row[2].strip(), number, replace=True)
            self.block.add(row[1])
        elif _BLOCK.match(text):
            self._in_block = True
        else:
            self._in_block = False
            self._free_line(text, number, header)

    def _free_line(self, text: str, number: int, header: bool) -> None:
        text = text.removeprefix("env.").removeprefix("condition:")
        if text[:1] == "{":
            self._begin_json(text, number)
            return
        if header:
            pairs = _PAIR.findall(text[:4000]) if ":" in text or "=" in text else []
        elif "=" in text[:400] and ":start" in text[:60]:
            pairs = _PAIR.findall(text[:1000])
        else:
            pairs = []
        for key, value in pairs:
            if key.lower() not in _NOT_SETTINGS:
                self._put(key, value.strip("\"'"), number, replace=header)

    def _put(self, key: str, value: str, number: int, *, replace: bool) -> None:
        if (replace or key not in self.values) and (key in self.values or len(self.values) < _MAX_KEYS):
            self.values[key] = (value[:400], number)

    def _begin_json(self, text: str, number: int) -> None:
        self._json, self._json_line = [], number
        self._continue_json(text)

    def _continue_json(self, text: str) -> None:
        assert self._json is not None
        self._json.append(text)
        if text.rstrip().endswith("}"):
            parsed = _parse("\n".join(self._json))
            if parsed is not None:
                self._flatten(parsed)
                self._json = None
                return
        if len(self._json) >= _JSON_ROWS or (
            len(self._json) == 1 and text.strip() != "{" and text.rstrip()[-1:] == "}"
        ):
            self._json = None

    def _flatten(self, parsed: dict[str, object]) -> None:
        for key, value in parsed.items():
            if isinstance(value, dict):
                self._flatten(value)
            elif isinstance(value, (str, int, float, bool)):
                self._put(key, str(value), self._json_line, replace=False)


def _parse(text: str) -> dict[str, object] | None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
