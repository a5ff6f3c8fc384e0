"""From what the stages gathered to the report of one submission: fingerprints, waivers, verdict, legality, facts.

A pure function. A waived finding stays in the report, marked, and counts for neither verdict nor legality.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from auditor.intake.decode import decode
from auditor.interp.analysis import Analysis
from auditor.model.evidence import Evidence
from auditor.model.finding import Finding, Pass
from auditor.model.report import (
    HeadlineReport,
    JudgedFinding,
    LegalityReport,
    SourceText,
    SubmissionReport,
    Waiver,
)
from auditor.model.smoke import SmokeReport
from auditor.model.source import Module, Program, Span, SyntaxProblem
from auditor.model.submission import FileKind, Submission
from auditor.model.verdict import Verdict
from auditor.report.fingerprint import fingerprints
from auditor.report.smoke import audit_facts
from auditor.rules.data import Edition
from auditor.rules.verdict import legality_of, verdict_of


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that the stages said of one submission."""

    submission: Submission
    program: Program | None
    evidence: Evidence
    analysis: Analysis | None
    findings: tuple[Finding, ...]
    passes: tuple[Pass, ...]
    target_python: str
    edition: Edition
    present: tuple[str, ...] = ()
    """Classes of metrics that are not the claimed number."""
    smoke: SmokeReport | None = None


def judge(gathered: Gathered, waivers: Iterable[Waiver] = ()) -> SubmissionReport:
    """Return the report of one submission."""
    submission = gathered.submission
    sources = tuple(_sources(gathered))
    quotes = dict(_quotes(gathered.findings, sources))
    judged = tuple(_judged(gathered, quotes, waivers))
    counted = [entry.finding for entry in judged if entry.waiver is None]
    verdict = verdict_of(counted) if _readable(submission) else Verdict.UNREADABLE
    legality = legality_of(
        counted,
        gathered.passes,
        gathered.edition,
        analysed=gathered.analysis is not None,
        present=gathered.present,
    )
    return SubmissionReport(
        path=submission.path,
        name=submission.name,
        track=submission.track.value,
        script=submission.script,
        script_reason=submission.script_reason,
        copy_of=submission.copy_of,
        content_sha256=content_hash(submission),
        verdict=verdict,
        recommendation=verdict.recommendation,
        legality=LegalityReport(
            legality.verdict, legality.classes_active, legality.classes_inactive, _headline(gathered)
        ),
        findings=judged,
        passes=gathered.passes,
        facts=_facts(gathered),
        evidence=gathered.evidence,
        quotes=quotes,
        sources=sources,
    )


def content_hash(submission: Submission) -> str:
    """Return a SHA-256 over the paths, kinds and contents of a submission's files, in the order of the paths."""
    digest = hashlib.sha256()
    for entry in sorted(submission.files, key=lambda item: item.path):
        row = (entry.path, entry.kind.value, str(entry.size), entry.sha256 or entry.detail)
        digest.update("\0".join(row).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _readable(submission: Submission) -> bool:
    entry = None if submission.script is None else submission.file(submission.script)
    return entry is not None and entry.kind is FileKind.REGULAR and bool(entry.data)


def _judged(
    gathered: Gathered, quotes: dict[tuple[str, int, int], str], waivers: Iterable[Waiver]
) -> Iterator[JudgedFinding]:
    by_fingerprint = {waiver.fingerprint: waiver for waiver in waivers}

    def source_line(span: Span) -> str | None:
        return quotes.get((span.file, span.layer, span.line))

    names = fingerprints(gathered.findings, gathered.submission.name, source_line)
    for finding, name in zip(gathered.findings, names, strict=True):
        yield JudgedFinding(finding, name, by_fingerprint.get(name))


def _quotes(findings: Iterable[Finding], sources: tuple[SourceText, ...]) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Yield the text of every line that a finding points at."""
    lines = {(text.file, text.layer): text.text.split("\n") for text in sources}
    for span in _spans(findings):
        held = lines.get((span.file, span.layer), [])
        if 0 < span.line <= len(held):
            yield (span.file, span.layer, span.line), held[span.line - 1].rstrip("\r")


def _spans(findings: Iterable[Finding]) -> Iterator[Span]:
    for finding in findings:
        if finding.location is not None:
            yield finding.location
        yield from (step.span for step in finding.path)


def _sources(gathered: Gathered) -> Iterator[SourceText]:
    """Yield every layer of every module once, then the other text files that findings point into."""
    known: set[str] = set()
    seen: set[tuple[str, int]] = set()
    for module in _modules(gathered.program):
        known.add(module.file)
        for layer in module.unpacked.layers:
            if (module.file, layer.index) not in seen:
                seen.add((module.file, layer.index))
                yield SourceText(module.file, layer.index, layer.text, layer.codecs)
    for file in sorted({span.file for span in _spans(gathered.findings)} - known):
        entry = gathered.submission.file(file)
        if entry is not None and entry.data is not None:
            yield SourceText(file, 0, decode(entry.data)[0])


def _modules(program: Program | None) -> tuple[Module, ...]:
    return () if program is None else (program.main, *program.helpers)


def _headline(gathered: Gathered) -> HeadlineReport | None:
    """Return the eval path that printed the claim, or what the logs alone say of it; None where nothing is claimed."""
    path = None if gathered.analysis is None else gathered.analysis.headline
    if path is not None:
        line = None if path.span is None else path.span.line
        return HeadlineReport(path.bpb, path.function, line, path.log, path.how, path.span)
    claim, matched = gathered.evidence.claim, gathered.evidence.headline
    if claim.bpb is None:
        return None
    return HeadlineReport(claim.bpb, None, None, matched.metric.file if matched.metric else None, matched.how)


def _facts(gathered: Gathered) -> dict[str, Any]:
    """Return the contract's facts: what was measured, plus the Python check and the declared run settings."""
    measured = gathered.evidence.facts
    declared = {} if gathered.analysis is None else gathered.analysis.declared
    return {
        "python": _python(gathered),
        "size": measured.get("size", {}),
        "timing": measured.get("timing", {}),
        "bpb": measured.get("bpb", {}),
        "config": {"declared": {name: {"value": at.value, "from": at.origin} for name, at in sorted(declared.items())}},
        **{key: value for key, value in sorted(measured.items()) if key not in {"python", "size", "timing", "bpb"}},
        **({} if gathered.smoke is None else {"smoke": audit_facts(gathered.smoke)}),
    }


def _python(gathered: Gathered) -> dict[str, Any]:
    modules = _modules(gathered.program)
    problems = [problem for module in modules for problem in module.problems]
    broken = any(module.tree is None for module in modules)
    return {
        "target": gathered.target_python,
        "parses": None if not modules else not (problems or broken),
        "error": _syntax_error(problems[0]) if problems else None,
        "seen_in_logs": sorted({row.python for row in gathered.evidence.seeds if row.python}),
    }


def _syntax_error(problem: SyntaxProblem) -> dict[str, Any]:
    span = problem.span
    return {
        "file": span.file,
        "layer": span.layer,
        "line": span.line,
        "column": span.column,
        "message": problem.message,
        "source_line": problem.source_line,
        "minimum": problem.minimum,
        "rewrite": problem.rewrite,
    }
