"""The grammar of final metric lines: `<name> val_loss:<x> val_bpb:<y> eval_time:<z>ms` in all its spellings.

Real logs hold 867 distinct metric names, 391 of them in a single file, so names are classified, never enumerated.
This module reads lines; which metric is the result is decided in `measure/headline.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.intake.patterns import FLOAT

_BPB = re.compile(
    r"(?<![A-Za-z0-9.])(?P<key>(?:[A-Za-z]+_){0,3}bpb(?:_exact)?)\"?(?:\s?\([^()\d]{0,40}\))?"
    r"\s{0,4}[:=]\s{0,16}\"?(?P<x>" + FLOAT + r")(?![\w])",
    re.I,
)
_LOSS = re.compile(r"(?<![A-Za-z0-9_.])(?P<key>(?:val_)?loss|vl|nll)\"?\s?[:=]\s?(?P<x>" + FLOAT + r")(?![\w])", re.I)
_EVAL_TIME = re.compile(
    r"\b(?:eval_time|time|eval|t|elapsed|took)\s?[:=]\s?(?P<x>\d{1,12}(?:\.\d{1,9})?)\s?(?P<unit>ms|s)\b", re.I
)
_NOT_RESULT_KEYS = re.compile(r"(?:^|_)(?:running|run|batch|train|est|delta|gain|improvement|cur|so_far)_", re.I)
_PROGRESS = re.compile(
    r"\[\s?\d+/\d+\]|\[\s?\d+(?:\.\d+)?%\]|(?<!\d)\d{1,3}(?:\.\d{1,4})?%\s|\b\d+/\d+ windows|\bchunk[ :=]\s?\d+"
    r"|\bbatch[ :=]\s?\d+|\bepoch[ :=]\s?\d+|\btc\[|_chunk \[|\bETA\b|\bwindow \d+/\d+"
    r"|\b(?:running|run|batch|train|est)_bpb|(?:\bdelta|\bgain|\bimprovement)\b",
    re.I,
)
_CODE = re.compile(r"log0?\(|\bf\"|\bprint\(|\{name|\{val|=\s?eval_val")
_OPTION = re.compile(r"\b[\w.]+=\S+|\b[A-Za-z_]\w*:[-+]?[\d.]+\S*")
_DIAGNOSTIC = re.compile(
    r"diag|pre[-_ ]?quant|post[-_ ]?ema|(?<![a-z])(?:ema|swa)(?![a-z])|candidate|static|selected"
    r"|\bgap\b|_gap\b|baseline|\bbefore\b|reference",
    re.I,
)
_FAMILIES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (family, re.compile(pattern, re.I))
    for family, pattern in (
        ("ngram", r"n[-_]?gram|cache|ppm|mixer|hedge|oracle|two_pass|knn|backoff"),
        ("slot", r"slot"),
        ("ttt", r"ttt|adapt|lora"),
        ("etlb", r"etlb|temperature|logit_bias"),
        ("sliding", r"slid|_sw|\bsw\b|stride"),
        ("roundtrip", r"roundtrip|research_export|q_rt"),
        ("quantized", r"quantized|int[4-8]|ternary"),
    )
)
FAMILY_ORDER = ("ngram", "slot", "ttt", "etlb", "sliding", "roundtrip", "quantized", "final", "diagnostic")
"""Which family a submission's result belongs to when several are printed: the strongest adaptation first."""


@dataclass(frozen=True, slots=True)
class MetricFields:
    """One metric of a line."""

    name: str
    bpb: float
    val_loss: float | None
    eval_ms: float | None
    digits: int
    """Decimals printed."""


def family_of(name: str) -> str:
    """Classify a metric name; the first family that matches wins, "final" where none does."""
    if is_diagnostic(name):
        return "diagnostic"
    return next((family for family, pattern in _FAMILIES if pattern.search(name)), "final")


def is_diagnostic(name: str) -> bool:
    """Say whether a metric's name tells that it is not the result."""
    return _DIAGNOSTIC.search(name) is not None


def is_progress(text: str) -> bool:
    """Say whether a line reports the way to a metric and not the metric."""
    return _PROGRESS.search(text) is not None


def metrics_in(text: str) -> Iterator[MetricFields]:
    """Yield the metrics of a line that holds "bpb"; progress lines and source lines give none."""
    if is_progress(text) or _CODE.search(text):
        return
    at = 0
    for match in _BPB.finditer(text):
        if _NOT_RESULT_KEYS.search(match["key"]) or match["x"][0] in "+-":
            continue  # a signed number is a difference
        segment = text[at : match.start()]
        loss = _LOSS.search(segment)
        name = _name(segment[: loss.start()] if loss else segment, match["key"])
        following = _BPB.search(text, match.end())
        tail = text[match.end() : following.start() if following else len(text)]
        time = _EVAL_TIME.search(tail)
        yield MetricFields(
            name,
            float(match["x"]),
            float(loss["x"]) if loss else None,
            None if time is None else float(time["x"]) * (1.0 if time["unit"].lower() == "ms" else 1000.0),
            len(match["x"].partition(".")[2]),
        )
        at = match.end() + (time.end() if time else 0)


def _name(before: str, key: str) -> str:
    text = re.sub(r"\([^)]{0,80}\)", " ", before)
    text = _OPTION.sub(" ", text)
    text = re.sub(r"[\s,|]+", " ", text).strip(" :=-|\"'{,*>#[]")
    return text[-80:] or key.lower()
