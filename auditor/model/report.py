"""What an audit returns: one report per submission, ready for every renderer. No bytes of files, no syntax trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auditor.model.evidence import Evidence
from auditor.model.finding import Finding, Pass
from auditor.model.source import Span
from auditor.model.submission import RootProblem
from auditor.model.verdict import LegalityVerdict, Verdict


@dataclass(frozen=True, slots=True)
class Waiver:
    """A reviewer's decision, kept outside every submission, that one finding does not count."""

    fingerprint: str
    reason: str
    date: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class JudgedFinding:
    """A finding with its stable name and, where a reviewer waived it, the waiver."""

    finding: Finding
    fingerprint: str
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class SourceText:
    """The text of one layer of one file that a report may quote."""

    file: str
    layer: int
    text: str
    codecs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadlineReport:
    """The claimed number and the eval path that printed it; None is unknown."""

    bpb: float | None
    function: str | None
    line: int | None
    log: str | None
    how: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class LegalityReport:
    """What the headline eval path amounts to."""

    verdict: LegalityVerdict
    classes_active: tuple[str, ...]
    classes_inactive: tuple[str, ...]
    headline: HeadlineReport | None


@dataclass(frozen=True, slots=True)
class SubmissionReport:
    """One submission, judged."""

    path: str
    name: str
    track: str
    script: str | None
    script_reason: str
    copy_of: str | None
    content_sha256: str
    """Hash over the paths and contents of the folder: names what was audited."""
    verdict: Verdict
    recommendation: str
    legality: LegalityReport
    findings: tuple[JudgedFinding, ...]
    passes: tuple[Pass, ...]
    facts: dict[str, Any]
    """JSON-ready, see the schema."""
    evidence: Evidence
    quotes: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """(file, layer, line) -> the text of every line that a finding points at."""
    sources: tuple[SourceText, ...] = ()
    """Every layer of the script and its helpers, then what else findings point into; empty when read back from JSON."""

    def source_line(self, span: Span) -> str | None:
        """Return the source line that a span points at, None where it is not known."""
        return self.quotes.get((span.file, span.layer, span.line))


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Every submission below one root, judged under one edition."""

    version: str
    edition: str
    root: str
    submissions: tuple[SubmissionReport, ...]
    head: str | None = None
    """Commit that was audited, where it is known."""
    base: str | None = None
    """Commit that the pull request was compared with, None without git."""
    problems: tuple[RootProblem, ...] = ()
    """What a reader has to know of the root itself, outside every submission."""
    stale_waivers: tuple[Waiver, ...] = ()
    """Waivers whose finding no longer exists."""
