"""Artifact size: the model bytes that a log prints, plus what is shipped, against the cap.

A log's own total often counts another copy of the code (unwrapped source), so it is kept beside, never instead.
"""

from __future__ import annotations

import re

from auditor.measure.select import metric_run
from auditor.model.evidence import SeedRow
from auditor.model.logs import LogFile, Observed

_RAW = re.compile(r"^$|raw|fp32|fp16|bf16|uncompressed|float", re.I)
_NOT_MODEL = re.compile(r"\bcode\b|base ?model|\bema\b|checkpoint", re.I)
_CODEC = re.compile(r"zlib|lzma|zstd|brotli|\bxz\b|int\d|arith|quantized|group", re.I)
"""A label that names a codec is a compressed model, whatever precision it names as well."""


def compressed_model(log: LogFile) -> int | None:
    """Return the bytes of the last compressed model that the counted run wrote."""
    found = compressed_models(log)
    return int(found[-1].value) if found else None


def compressed_models(log: LogFile) -> list[Observed]:
    """Return the lines that state a compressed model's bytes, in file order."""
    return [item for item in _of(log, "model_bytes") if not _is_raw(item.unit) and not _NOT_MODEL.search(item.unit)]


def _is_raw(label: str) -> bool:
    return _RAW.search(label) is not None and _CODEC.search(label) is None


def raw_model(log: LogFile) -> int | None:
    """Return the bytes of the unquantised model, None where the log does not print it."""
    found = [item for item in _of(log, "model_bytes") if _is_raw(item.unit)]
    return int(found[-1].value) if found else None


def logged_code(log: LogFile) -> int | None:
    """Return the code size that the log counted: the compressed one where it prints a pair."""
    found = [item for item in _of(log, "code_bytes") if int(item.value) > 0]
    compressed = [item for item in found if item.unit.startswith("compressed")]
    return int((compressed or found)[-1].value) if found else None


def logged_total(log: LogFile) -> int | None:
    """Return the log's own total submission size."""
    found = logged_total_line(log)
    return int(found.value) if found else None


def logged_total_line(log: LogFile) -> Observed | None:
    """Return the line that states the log's total: the last labelled one, else another form, else unlabelled."""
    totals = _of(log, "total_bytes")
    labelled = [item for item in totals if not _is_raw(item.unit) and not _NOT_MODEL.search(item.unit)]
    models, code = compressed_models(log), logged_code(log)
    sums = [item for item in totals if models and code is not None and int(item.value) == int(models[-1].value) + code]
    if sums:
        return sums[-1]
    if labelled:
        chosen = labelled[-1]
        if models and code is not None and models[-1].line > chosen.line and models[-1].unit != chosen.unit:
            return None
        return chosen
    artifacts = _of(log, "artifact_bytes")
    if artifacts:
        return artifacts[-1]
    raw = raw_model(log)
    plain = [item for item in totals if raw is None or code is None or int(item.value) != raw + code]
    plain = [item for item in plain if int(item.value) < (raw or 10**12)]
    return plain[-1] if plain else None


def totals_differ(row: SeedRow, code_bytes: int | None) -> str | None:
    """Say why a log's own total is not model plus shipped code; None where they agree or one is unknown."""
    if row.logged_total_bytes is None or row.total_bytes is None or row.logged_total_bytes == row.total_bytes:
        return None
    reasons = []
    if row.code_bytes is not None and code_bytes is not None and row.code_bytes != code_bytes:
        reasons.append(f"the log counts {row.code_bytes:,} bytes of code, {code_bytes:,} are shipped")
    if row.model_bytes is not None and row.model_bytes + (row.code_bytes or 0) != row.logged_total_bytes:
        reasons.append("the log's total is not its model plus its code")
    return "; ".join(reasons)


def _of(log: LogFile, fact: str) -> list[Observed]:
    run = metric_run(log)
    found = [item for item in log.facts if item.fact == fact]
    return [item for item in found if item.run == run] or found
