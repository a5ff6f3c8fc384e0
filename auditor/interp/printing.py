"""Print calls and the lines they make: which call made a logged line, which is nearly it, which one a text names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from auditor.interp.graph import Kind, ancestors
from auditor.interp.machine import Printed
from auditor.interp.values import Sym

_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)"
_WORD = re.compile(r"[a-z]+(?![a-z])")
_PROGRESS = re.compile(r"(?:chunk|batch|step|epoch|window)s?[ :=\[]*[\d#]|running|\[[\d#]")
_BPB = re.compile(r"bpb['\"]?\s*[:=]\s*\(?$")
_ALIKE = 0.7
"""Share of words that a logged line and a print have in common where the one is the other in another version."""
_DENIED = re.compile(r"\b(?:no|not|without|w/o|before|vs\.?|versus)[\s-]+[\w-]+", re.IGNORECASE)
_TAIL = frozenset(["eval", "time", "ms"])
"""Words of the time that a metric line may end in."""
_GRAMMAR = frozenset(["final", "exact", "val", "bpb", "loss", "eval", "time", "ms", "s"])
"""Words of the official metric line: they name no metric."""


def constant(printed: Printed) -> int:
    """Return how many characters of a print are the script's own text."""
    return sum(len(part) for part in printed.parts if isinstance(part, str))


def made(printed: Printed, raw: str, value: float | None) -> Sym | None:
    """Return the value that a print call put into a raw line where the number stands, None where it did not make it."""
    pieces: list[str] = []
    holders: list[Sym] = []
    for part in printed.parts:
        if isinstance(part, str):
            pieces.append(re.escape(part.strip("\n")))
        elif isinstance(part, Sym):
            pieces.append(f"(?P<g{len(holders)}>{_NUMBER}|[^ ]*?)")
            holders.append(part)
        else:
            pieces.append(re.escape(str(part)))
    if not holders or constant(printed) < 3:
        return None
    if sum(len(p) for p in pieces) > 4_000:
        return None
    found = re.search("".join(pieces), raw) if _holds_all(printed, raw) else None
    if found is None:
        found = _loosely(printed, raw)
        if found is None:
            return None
    for number, holder in enumerate(holders):
        text = found.group(f"g{number}")
        if text and _same(text, value) and scores_of(holder):
            return holder
    return None


def _holds_all(printed: Printed, raw: str, free: re.Pattern[str] | None = None) -> bool:
    """Say whether the line holds every constant part, or every piece of one beside what is `free`: cheap to ask."""
    constant = [str(part).strip("\n") for part in printed.parts if not isinstance(part, Sym)]
    if free is not None:
        constant = [piece for part in constant for piece in free.split(part)]
    return all(part in raw for part in constant)


def _loosely(printed: Printed, raw: str) -> re.Match[str] | None:
    """Match with digits in the constant parts left free: stand-in sizes print other counts than the run did."""
    if not _holds_all(printed, raw, _DIGITS):
        return None
    pieces: list[str] = []
    count = 0
    for part in printed.parts:
        if isinstance(part, Sym):
            pieces.append(f"(?P<g{count}>{_NUMBER}|[^ ]*?)")
            count += 1
        else:
            pieces.append(re.sub(r"\d+(?:\\\.\d+)?", r"[-\\w.]+", re.escape(str(part).strip("\n"))))
    try:
        return re.search("".join(pieces), raw)
    except re.error:
        return None


def _same(text: str, value: float | None) -> bool:
    try:
        return value is None or abs(float(text) - value) < 5e-5
    except ValueError:
        return False


def scores_of(value: Any) -> bool:
    """Say whether a value was computed from a loss over validation tokens."""
    if not isinstance(value, Sym) or value.node is None:
        return False
    return any(
        n.kind is Kind.LOSS and (n.region or n.info.get("unplaced"))
        for n in ancestors(value.node, into_state=False, cap=6_000)
    )


def scored(call: Printed) -> Iterator[tuple[Sym, str]]:
    """Yield (value, the line before it) for every value that is called bits per byte and comes from a loss."""
    before = ""
    for part in call.parts:
        if isinstance(part, str):
            before += part
            continue
        if isinstance(part, Sym) and _BPB.search(before[-40:]) and scores_of(part):
            yield part, before
        before += "#"


def reports_progress(before: str) -> bool:
    """Say whether the line before a value tells of a way to a result and not of one."""
    return _PROGRESS.search(before[-160:]) is not None


def alike(printed: Iterable[Printed], raw: str) -> tuple[Printed, Sym] | None:
    """Return the one print of a score whose words are nearly those of a line, None where several values are."""
    wanted = _words(raw) - _TAIL
    best: list[tuple[float, Printed, Sym]] = []
    for call in printed:
        value = _last_score(call)
        own = _words(" ".join(str(part) for part in call.parts if not isinstance(part, Sym))) - _TAIL
        share = len(own & wanted) / (len(own | wanted) or 1)
        if value is None or share < _ALIKE or (best and share < best[0][0]):
            continue
        best = [row for row in best if row[0] == share] + [(share, call, value)]
    return (best[-1][1], best[-1][2]) if len({value.node for _, _, value in best}) == 1 else None


def words_of(mention: str) -> frozenset[str]:
    """Return the words that a text puts beside a number, without those that it denies."""
    return _words(_DENIED.sub(" ", mention))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _last_score(call: Printed) -> Sym | None:
    """Return the last value of a print that is called bits per byte and comes from a loss."""
    return next((value for value, _ in reversed(list(scored(call)))), None)


def text_of(call: Printed) -> str:
    """Return the text of a print without its values."""
    return " ".join(part for part in call.parts if isinstance(part, str))


def named(printed: list[Printed], mentions: tuple[str, ...]) -> tuple[Printed, str] | None:
    """Return the print that a text names by words which no other print of another value has, and that text."""
    words = [_words(text_of(call)) - _GRAMMAR for call in printed]
    common = frozenset.intersection(*words) if words else frozenset()
    for mention in mentions:
        said = words_of(mention)
        counts = [len((own - common) & said) for own in words]
        most = max(counts, default=0)
        best = [call for call, count in zip(printed, counts, strict=True) if count == most]
        if most and len({part.node for call in best for part in [_last_score(call)] if part is not None}) == 1:
            return best[-1], mention
    return None
