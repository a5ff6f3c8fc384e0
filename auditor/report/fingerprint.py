"""Stable names of findings: what a waiver, SARIF and a comparison of two runs key on.

A fingerprint survives edits elsewhere in the file (no line numbers go into it) and changes when the line that it is
about changes. Two findings that would share one are told apart by their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from auditor.model.finding import Finding
from auditor.model.source import Span


class SourceLines(Protocol):
    """Where the text of a span comes from."""

    def __call__(self, span: Span) -> str | None: ...


def fingerprints(findings: Iterable[Finding], submission: str, source_line: SourceLines) -> Iterator[str]:
    """Yield one 32-digit hexadecimal fingerprint per finding, in order; `submission` is the folder's name."""
    seen: dict[str, int] = {}
    for finding in findings:
        base = "\n".join((finding.rule, finding.ruling.value, submission, _anchor(finding, source_line)))
        count = seen[base] = seen.get(base, 0) + 1
        yield hashlib.sha256(f"{base}\n{count}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _anchor(finding: Finding, source_line: SourceLines) -> str:
    """Return what the finding is about: the normalised text of its line, or its message where it has no line."""
    if finding.location is None:
        return finding.message
    text = source_line(finding.location)
    if text is None or not text.strip():
        return f"{finding.location.file}\n{finding.message}"
    return finding.location.file + "\n" + " ".join(text.split())
