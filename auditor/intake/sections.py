"""Which lines of a log are log: source dumps and nvidia-smi tables are marked, prefixes of launchers are stripped.

Trainers print their own source into their logs (82 % of the bytes where they do), so numbers inside it must not be
read as measurements. It must not drop anything: every line stays, with its kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from auditor.intake.decode import printable
from auditor.model.logs import LineKind, LogLine

_RULE = re.compile(r"={60,140}\s*")
_CODE_HEAD = re.compile(r"import |from \S+ import|def |class |@\w|if __name__")
_CODE_HEAD_LETTERS = frozenset("ifdc@")
_MAIN = re.compile(r"if __name__\s*==")
_CODE_LINES_MIN = 8
"""Column-0 code lines that make a section a dump: the measured threshold, no log section reaches it."""
_DOCSTRING_LINES = 200
_SMI_REACH = 100
"""Lines below the NVIDIA-SMI banner that may still belong to its table."""

_PREFIX = re.compile(
    r"(?:\[?(?:rank|default)(?P<rank>\d{1,3})\]?:\s?"
    r"|\[(?:train|run|modal|torchrun|log|main|remote|stdout|stderr)\S{0,40}\]\s?"
    r"|\[\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[^\]]{0,20}\]\s*(?:INFO:?\s*)?"
    r"|\[\d\d:\d\d:\d\d(?:\.\d+)?\]\s*"
    r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S{0,20}\s+(?:INFO:?\s+)?"
    r"|\d{10}(?:\.\d{1,9})?[:\s]\s{0,4}"
    r"|[>#]\s"
    r"|[\w.-]{4,80}: (?=step:\d))"
)
_PREFIX_LETTERS = frozenset("[>#rd0123456789")
_BAR_CHARS = 600


def classify(lines: Sequence[str]) -> list[LineKind]:
    """Return the kind of every line."""
    kinds = [LineKind.LOG] * len(lines)
    rules = [index for index, line in enumerate(lines) if line.startswith("=====") and _RULE.fullmatch(line)]
    bounds = [-1, *rules, len(lines)]
    for before, after in pairwise(bounds):
        span = _dump_in(lines, before + 1, after)
        if span:
            kinds[span[0] : span[1]] = [LineKind.DUMP] * (span[1] - span[0])
    _mark_smi(lines, kinds)
    return kinds


def log_line(number: int, kind: LineKind, raw: str, limit: int) -> LogLine:
    """Build one line; `text` is what patterns see: at most `limit` characters, without escapes, prefixes and bars."""
    if kind is not LineKind.LOG:
        return LogLine(number, kind, raw, raw)
    text = printable(raw[:limit])
    if "%|" in text[:_BAR_CHARS]:
        text = _behind_bar(text)
    return LogLine(number, kind, _strip(text), raw)


def rank_of(raw: str) -> int:
    """Return the rank that a launcher's prefix names, 0 where it names none."""
    match = _PREFIX.match(raw)
    return int(match["rank"]) if match and match["rank"] else 0


def _strip(text: str) -> str:
    for _ in range(3):
        if not text or (text[0] not in _PREFIX_LETTERS and ": step:" not in text):
            break
        match = _PREFIX.match(text)
        if not match:
            break
        text = text[match.end() :]
    return text


def _behind_bar(text: str) -> str:
    """A tqdm bar can carry a real line behind it: `training: 0%|..| 1/1000 [..]step:1/1000 train_loss:..`."""
    close = text.find("]", text.index("%|"))
    return text[close + 1 :].lstrip() if close >= 0 else text


def _dump_in(lines: Sequence[str], start: int, end: int) -> tuple[int, int] | None:
    heads = [
        index
        for index in range(start, end)
        if lines[index][:1] in _CODE_HEAD_LETTERS and _CODE_HEAD.match(lines[index])
    ]
    if len(heads) < _CODE_LINES_MIN:
        return None
    first = _head_start(lines, heads[0], start)
    mains = [index for index in heads if _MAIN.match(lines[index])]
    if not mains:
        return first, end
    last = mains[-1] + 1
    while last < end and (not lines[last].strip() or lines[last][:1] in " \t"):
        last += 1
    return first, last


def _head_start(lines: Sequence[str], first: int, start: int) -> int:
    """Move up over the comments, blank lines and the docstring directly above the first code line."""
    index = first
    while index > start:
        line = lines[index - 1].strip()
        if not line or line.startswith("#"):
            index -= 1
            continue
        mark = line[-3:]
        if mark not in ('"""', "'''"):
            break
        opening: int | None = index - 1
        if line.count(mark) == 1:
            above = range(index - 2, max(start, index - _DOCSTRING_LINES) - 1, -1)
            opening = next((row for row in above if lines[row].startswith(mark)), None)
        if opening is None:
            break
        index = opening
    return index


def _mark_smi(lines: Sequence[str], kinds: list[LineKind]) -> None:
    until = -1
    for index, line in enumerate(lines):
        if kinds[index] is not LineKind.LOG:
            continue
        if "NVIDIA-SMI" in line:
            until = index + _SMI_REACH
        if index <= until and line.lstrip()[:1] in ("|", "+"):
            kinds[index] = LineKind.SMI
