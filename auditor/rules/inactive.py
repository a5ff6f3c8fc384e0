"""Practices that the code holds and the claimed number does not rest on: other metrics, and switches that were off.

They change neither verdict nor legality. What a switch would turn on is said as a latent note, so that a reader who
compares runs knows where to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from auditor.interp.analysis import Analysis, Beside
from auditor.interp.off import enabled_by
from auditor.model.finding import Effect, Finding, Pass, Ruling
from auditor.model.source import Span
from auditor.rules.context import RuleContext
from auditor.rules.rivals import said_of


@dataclass(frozen=True, slots=True)
class Inactive:
    """What else the code holds: latent findings, and the classes of metrics that are not the claimed one."""

    findings: tuple[Finding, ...] = ()
    classes: tuple[str, ...] = ()


def inactive(known: RuleContext, active: frozenset[str]) -> Inactive:
    """Return what the rules say of the metrics that are not the claimed number beyond the `active` classes."""
    findings: dict[tuple[str, tuple[str, ...]], Finding] = {}
    classes: dict[str, None] = {}
    for other in known.analysis.beside if known.analysis is not None else ():
        for item in _judged(known, other.analysis):
            classes.update(dict.fromkeys(item.classes))
            if isinstance(item, Finding) and other.switches and not active.issuperset(item.classes):
                findings.setdefault((item.rule, item.classes), _latent(item, other, known.analysis))
    return Inactive(tuple(findings.values()), tuple(name for name in classes if name not in active))


def _judged(known: RuleContext, other: Analysis) -> Iterator[Finding | Pass]:
    """Yield what the eval-path rules establish of another metric."""
    for item in said_of(known, other):
        if isinstance(item, Pass) or item.ruling is Ruling.VIOLATION:
            yield item


def _latent(finding: Finding, other: Beside, claimed: Analysis | None) -> Finding:
    """Say what would have to be set for a finding to be of this run."""
    reached = claimed.trace.reached if claimed is not None else frozenset()
    spans = [span for span in _spans(finding) if (span.file, span.layer, span.line) not in reached]
    return replace(finding, effect=Effect.NOTE, latent=enabled_by(other.switches, spans))


def _spans(finding: Finding) -> Iterator[Span]:
    if finding.location is not None:
        yield finding.location
    yield from (step.span for step in finding.path)
