"""submission.json in its wild shapes: the claim, and what it says of seeds, sizes and the track.

An invalid file is reported as invalid; a tolerant second parse serves display and the claim's location only. What it
says is a claim, never a measurement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from auditor.intake.decode import decode
from auditor.model.evidence import Claim
from auditor.model.submission import FileKind, Submission

_NAMES = ("submission.json", "subbmission.json")
_BPB_KEYS = (
    "val_bpb",
    "mean_val_bpb",
    "val_bpb_mean",
    "mean_bpb",
    "three_seed_mean_bpb",
    "val_bpb_3seed_mean",
    "val_bpb_3_seed_mean",
    "val_bpb_3seed_mean_exact",
    "final_val_bpb",
    "bpb",
    "score",
)
_MEAN_KEYS = ("mean", "avg", "average", "value", "val_bpb", "bpb", "mean_val_bpb", "final")
_PER_SEED = ("seed_results", "per_seed", "per_seed_results", "val_bpb_seeds", "val_bpb_per_seed", "seeds", "results")
_INNER_BPB = ("val_bpb", "bpb", "ttt_bpb", "val_bpb_ttt", "sliding_bpb", "final_bpb", "val_bpb_exact")
_TOTAL_KEYS = (
    "bytes_total",
    "artifact_bytes",
    "artifact_bytes_max",
    "total_submission_bytes_max",
    "artifact_size_bytes",
    "artifact_bytes_mean",
    "total_bytes",
    "submission_bytes",
)
_PLAUSIBLE = (0.0005, 12.0)
"""Bits per byte: below, only a leak or a placeholder 0; above, an untrained model (8.0 is uniform over bytes)."""
_LARGEST = 1e15
"""Numbers above, and NaN, are no measurement of anything here."""
_SEED_KEY = re.compile(r"(?:seed[_-]?)?(\d{1,7})$", re.I)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What submission.json says; every field is a claim."""

    path: str | None
    data: dict[str, Any]
    text: str = ""
    problem: str = ""
    """Why the file is not valid JSON, empty where it is or where there is none."""
    seeds: dict[int, float | None] = field(default_factory=dict)
    """Claimed seed -> claimed bpb of that seed."""
    bytes_total: int | None = None
    bytes_key: str = ""


def read_manifest(submission: Submission) -> Manifest:
    """Read the submission's JSON file; without one, `path` is None."""
    entry = next((found for name in _NAMES if (found := submission.file(name)) is not None), None)
    if entry is None or entry.kind is not FileKind.REGULAR or entry.data is None:
        return Manifest(None, {}, problem="there is no submission.json")
    text, _ = decode(entry.data)
    problem, data = "", {}
    try:
        loaded = json.loads(text)
        if isinstance(loaded, dict):
            data = loaded
        else:
            problem = f"the top level is a {type(loaded).__name__}, not an object"
    except RecursionError:
        problem = "not valid JSON: it nests too deeply"
    except ValueError as error:
        problem = f"not valid JSON: {error}"
        data = tolerant(text)
    total, key = _bytes_total(data)
    return Manifest(entry.path, data, text, problem, _claimed_seeds(data), total, key)


def claim_of(manifest: Manifest) -> Claim:
    """Find the claimed val_bpb; null, placeholders, 0 and -1 are no claim."""
    if manifest.path is None:
        return Claim(None, "", problem=manifest.problem)
    problem = manifest.problem
    for key in _BPB_KEYS:
        if key not in manifest.data:
            continue
        value = number(manifest.data[key])
        if value is None and isinstance(manifest.data[key], dict):
            value = next((x for name in _MEAN_KEYS if (x := number(manifest.data[key].get(name))) is not None), None)
        if value is not None and _PLAUSIBLE[0] <= value <= _PLAUSIBLE[1]:
            return Claim(value, "submission.json", _line_of(manifest.text, key), key, problem)
        problem = problem or f"{key} is {_shown(manifest.data[key])}: no claim"
    nested = _nested_bpb(manifest.data)
    if nested:
        return Claim(nested[1], "submission.json", _line_of(manifest.text, nested[0]), nested[0], problem)
    return Claim(None, "submission.json", problem=problem or "it holds no val_bpb")


def number(value: object) -> float | None:
    """Read a JSON value as a number: 1.169, "1.1690" and "15,998,290" are numbers; "~15.9MB", TBD and true are not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if abs(value) <= _LARGEST else None
    if isinstance(value, str) and re.fullmatch(r"\s{0,9}-?\d[\d,]{0,20}(?:\.\d{1,20})?\s{0,9}", value):
        return float(value.replace(",", ""))
    return None


def tolerant(text: str) -> dict[str, Any]:
    """Read what an invalid JSON text was meant to say, as far as scalars of the top object go; for display only."""
    start = text.find("{")
    if start < 0:
        return {}
    body = re.sub(r",(\s*[}\]])", r"\1", text[start:])
    try:
        parsed, _ = json.JSONDecoder().raw_decode(body)
    except (ValueError, RecursionError):
        return _scalars(body)
    return parsed if isinstance(parsed, dict) else {}


def _scalars(body: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for match in re.finditer(
        r'(?:^|[{,])\s{0,8}"(\w{1,60})"\s{0,4}:\s{0,4}("[^"\n]{0,400}"|-?\d[\d.eE+-]{0,30}|null|true|false)', body, re.M
    ):
        try:
            found.setdefault(match[1], json.loads(match[2]))
        except ValueError:
            continue
    return found


def _nested_bpb(data: dict[str, Any]) -> tuple[str, float] | None:
    for outer in ("results", "result", "metrics", "final", "summary", "mean", "statistics", "stats"):
        inner = data.get(outer)
        if isinstance(inner, dict):
            for key in _BPB_KEYS:
                value = number(inner.get(key))
                if value is not None and _PLAUSIBLE[0] <= value <= _PLAUSIBLE[1]:
                    return key, value
    return None


def _claimed_seeds(data: dict[str, Any]) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for seed, value in _seed_items(data):
        if isinstance(value, dict):
            bpb = next((x for key in _INNER_BPB if (x := number(value.get(key))) is not None), None)
        else:
            bpb = number(value)
        if found.get(seed) is None:
            found[seed] = bpb if bpb is None or _PLAUSIBLE[0] <= bpb <= _PLAUSIBLE[1] else None
    return found


def _seed_items(data: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    for key in _PER_SEED:
        held = data.get(key)
        if isinstance(held, dict):
            yield from _named_seeds(held)
        elif isinstance(held, list):
            for item in held:
                if isinstance(item, dict) and (seed := number(item.get("seed"))) is not None:
                    yield int(seed), item
                elif key == "seeds" and isinstance(item, int) and not isinstance(item, bool):
                    yield item, None
    yield from _named_seeds({key: value for key, value in data.items() if key.lower().startswith("seed_")})


def _named_seeds(held: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    for name, value in held.items():
        match = _SEED_KEY.fullmatch(str(name))
        if match:
            yield int(match[1]), value


def _bytes_total(data: dict[str, Any]) -> tuple[int | None, str]:
    for key in _TOTAL_KEYS:
        value = number(data.get(key))
        if value:
            return int(value), key
    return None, ""


def _line_of(text: str, key: str) -> int | None:
    at = text.find(f'"{key}"')
    return None if at < 0 else text.count("\n", 0, at) + 1


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
