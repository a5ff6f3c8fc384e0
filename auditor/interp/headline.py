"""Which printed line carries the claimed number, which value it prints, and which function computed that value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.machine import Machine, Printed
from auditor.interp.scores import Score
from auditor.interp.values import Sym
from auditor.model.evidence import Evidence
from auditor.model.source import Span

_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)"


@dataclass(frozen=True, slots=True)
class Site:
    """A print that carries the number: the call, the value in it, and how well it was identified."""

    printed: Printed
    node: Node
    how: str
    certain: bool
    """True where the logged line determines the site; False where the last metric that is printed was taken."""


def find_site(machine: Machine, evidence: Evidence) -> Site | None:
    """Return where the claimed number is printed, None where no printed value depends on a score."""
    metric = evidence.headline.metric
    if metric is not None and not evidence.headline.guess:
        matched = [site for site in (_match(p, metric.raw, metric.bpb) for p in machine.printed) if site is not None]
        if matched:
            best = max(matched, key=lambda site: (_constant(site.printed), site.printed.index))
            where = f"{metric.file}:{metric.line}"
            return Site(best.printed, best.node, f"{evidence.headline.how}; {where} is printed here", True)
    named = _last_metric(machine.printed)
    if named is None:
        return None
    return Site(named.printed, named.node, "no log line carries the claim: the last metric printed was taken", False)


def _constant(printed: Printed) -> int:
    return sum(len(part) for part in printed.parts if isinstance(part, str))


def _match(printed: Printed, raw: str, value: float | None) -> Site | None:
    """Match one print call against the raw line; the placeholder that captures the number is the value."""
    pieces: list[str] = []
    holders: list[Any] = []
    for part in printed.parts:
        if isinstance(part, str):
            pieces.append(re.escape(part.strip("\n")))
        elif isinstance(part, Sym):
            pieces.append(f"(?P<g{len(holders)}>{_NUMBER}|[^ ]*?)")
            holders.append(part)
        else:
            pieces.append(re.escape(str(part)))
    if not holders or _constant(printed) < 3:
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
            return Site(printed, holder.node, "", True)
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


def _last_metric(printed: Iterable[Printed]) -> Site | None:
    """Return the last print of a bits-per-byte value: the value right after a text that ends in "bpb"."""
    best: Site | None = None
    for call in printed:
        before = ""
        for part in call.parts:
            if isinstance(part, str):
                before += part
                continue
            if isinstance(part, Sym) and re.search(r"bpb['\"]?\s*[:=]\s*\(?$", before[-40:]) and scores_of(part):
                progress = re.search(r"chunk|running|batch|step|\[\d|epoch|window", before[-120:]) is not None
                if part.node is not None and (not progress or best is None):
                    best = Site(call, part.node, "", False)
            before = ""
    return best


def scoring_frame(machine: Machine, site: Site, scores: tuple[Score, ...]) -> tuple[str, int, Span | None]:
    """Return (name, call id, definition) of the deepest call in which all losses behind the number came to be.

    That is the evaluation function: wrappers above it only pass its result on, helpers below it see a part.
    """
    common = scores[0].loss.frames if scores else site.printed.frames
    for score in scores[1:]:
        shared = 0
        for a, b in zip(common, score.loss.frames, strict=False):
            if a != b:
                break
            shared += 1
        common = common[:shared]
    for ident in reversed(common):
        if ident in machine.calls:
            name, span = machine.calls[ident]
            return name, ident, span
    return site.printed.function, 0, None
