"""What an accusation is worth where nothing says which printed metric is the claimed number.

The last metric stands for it by default. A violation on its path is a fact of that metric; of the claim it is one only
where the other metrics that may be meant break a rule too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditor.interp.analysis import Analysis
from auditor.model.finding import Effect, Finding, Pass, Ruling
from auditor.rules.context import RuleContext
from auditor.rules.data import cards
from auditor.rules.registry import checks

_PLAIN = "plain-eval"


def weighed(known: RuleContext, findings: list[Finding]) -> list[Finding]:
    """Return the findings; those that flag the eval path are unproven where another metric may be the claimed one."""
    analysis = known.analysis
    if analysis is None or not any(map(_accuses, findings)):
        return findings
    clean = next((rival for rival in analysis.rivals if _may_be_meant(known, rival)), None)
    return findings if clean is None else [_unproven(f, clean) if _accuses(f) else f for f in findings]


def _accuses(finding: Finding) -> bool:
    """Say whether a finding flags how the number came about, not what the folder looks like."""
    path = finding.rule.startswith(("PG1", "PG2"))
    return path and finding.ruling is Ruling.VIOLATION and finding.effect is Effect.FLAG


def _may_be_meant(known: RuleContext, rival: Analysis) -> bool:
    """Say whether another metric breaks no rule and is one that an author may claim.

    Of a baseline beside an adapted number the adapted one is claimed, if no log shows otherwise: a plain score counts
    only where a log holds the claim on a line that the script never prints.
    """
    said = list(said_of(known, rival))
    if any(isinstance(item, Finding) and _accuses(item) for item in said):
        return False
    adapted = {name for item in said if isinstance(item, Pass) for name in item.classes} - {_PLAIN}
    return bool(adapted) or known.evidence.headline.metric is not None


def said_of(known: RuleContext, metric: Analysis) -> Iterator[Finding | Pass]:
    """Yield what the eval-path rules say of another metric than the claimed one."""
    for rule, check in checks().items():
        if rule.startswith(("PG1", "PG2")) and rule in known.edition.effects:
            yield from check(replace(known, analysis=metric, card=cards()[rule]))


def _unproven(finding: Finding, clean: Analysis) -> Finding:
    assert clean.headline is not None
    printed = clean.headline.printed
    where = f" (line {printed.line})" if printed is not None else ""
    message = (
        f"{finding.message}; whether this is the claimed number is not known: no log line carries it, and the script "
        f"also prints the metric of {clean.headline.function}{where}, of which no rule says this"
    )
    return replace(finding, ruling=Ruling.UNPROVEN, effect=Effect.REVIEW, message=message, classes=())
