"""From findings and passes to the two aggregates of a submission: its verdict and its legality.

A pure function of what the rules said; it knows no rule by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditor.model.finding import Effect, Finding, Pass, Ruling
from auditor.model.verdict import LegalityVerdict, Verdict
from auditor.rules.data import Edition

_EFFECT_VERDICT = {
    Effect.NOTE: Verdict.LOOKS_CLEAN,
    Effect.REVIEW: Verdict.NEEDS_REVIEW,
    Effect.ACTION: Verdict.NEEDS_AUTHOR_ACTION,
    Effect.FLAG: Verdict.COMPLIANCE_FLAG,
}
_SEVERITY = list(Verdict)


@dataclass(frozen=True, slots=True)
class Legality:
    """What the headline eval path amounts to."""

    verdict: LegalityVerdict
    classes_active: tuple[str, ...]
    classes_inactive: tuple[str, ...]


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict that any finding asks for; latent findings ask for nothing."""
    asked = [_EFFECT_VERDICT[finding.effect] for finding in findings if finding.latent is None]
    return max(asked, key=_SEVERITY.index, default=Verdict.LOOKS_CLEAN)


def legality_of(
    findings: Iterable[Finding],
    passes: Iterable[Pass],
    edition: Edition,
    *,
    analysed: bool,
    present: Iterable[str] = (),
) -> Legality:
    """Derive legality from the classes that rules established; `present` are classes of metrics that are not claimed.

    An illegal class decides. Otherwise anything that the eval-path rules could not prove makes it unclear, then a
    disputed class makes it disputed. `analysed` False (no program, no trace) is unclear.
    """
    found = list(findings)
    active: dict[str, None] = {}
    inactive: dict[str, None] = dict.fromkeys(present)
    for finding in found:
        if finding.ruling is Ruling.VIOLATION:
            (inactive if finding.latent else active).update(dict.fromkeys(finding.classes))
    for passed in passes:
        active.update(dict.fromkeys(passed.classes))
    for name in active:
        inactive.pop(name, None)
    standings = {edition.standing.get(name, "legal") for name in active}
    unproven = any(
        finding.ruling is Ruling.UNPROVEN and finding.effect is not Effect.NOTE and finding.rule[2] in "012369"
        for finding in found
    )
    if "illegal" in standings:
        verdict = LegalityVerdict.ILLEGAL
    elif unproven or not analysed or not active:
        verdict = LegalityVerdict.UNCLEAR
    elif "disputed" in standings:
        verdict = LegalityVerdict.DISPUTED
    else:
        verdict = LegalityVerdict.LEGAL
    return Legality(verdict, tuple(active), tuple(inactive))
