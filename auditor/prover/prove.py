"""The whole proof of one script: ladder of miniatures, second seed, second size, one outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from auditor.limits import ProverLimits
from auditor.prover import again, contested
from auditor.prover.conclude import conclude, decided, totals
from auditor.prover.confine import JobFailed
from auditor.prover.examination import Examination
from auditor.prover.job import Script, Shape, miniature
from auditor.prover.ladder import climb
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Proof
from auditor.prover.session import Session, Undecided
from auditor.prover.thresholds import thresholds

CONDITIONS = frozenset({"c1", "c2", "c3", "c4"})


def prove(
    script: Script,
    *,
    headline: str | None = None,
    others: frozenset[str] = frozenset(),
    conditions: frozenset[str] = CONDITIONS,
    seeds: int = 2,
    budget: float | None = None,
    limits: ProverLimits | None = None,
    progress: Callable[[str], None] = lambda text: None,
    keep: Path | None = None,
) -> Proof:
    """Prove `script` in miniature. Raises SandboxUnavailable or ProverUnavailable where this machine cannot."""
    limits = limits or ProverLimits()
    started = time.monotonic()
    total = budget or limits.budget_seconds
    with Session(
        script, limits, conditions, headline, progress, started + total, keep=keeper(keep), others=others
    ) as session:
        proof = proved(session, seeds, started)
    return replace(
        proof,
        confinement=session.confinement,
        seconds=time.monotonic() - started,
        cpu_seconds=session.cpu_seconds,
    )


def proved(session: Session, seeds: int, started: float) -> Proof:
    """Run everything that the time of `session` allows."""
    limits = session.limits
    try:
        found, shape = climb(session)
    except Undecided as reason:
        return Proof(Outcome.UNDECIDED, reason.reason_class, str(reason))
    except JobFailed as problem:
        return Proof(Outcome.UNDECIDED, "budget" if session.left() < 5 else "sandbox", str(problem))
    sizes = [found.mini.targets]
    confirmed = confirm(session, found, shape, limits.targets, seeds)
    if confirmed is None and worth_longer(session, found, started):
        larger = longer(session, found, shape)
        if larger is not None:
            told(session, found, larger)
            if decided(session, larger):
                sizes.append(larger.mini.targets)
            if larger.leak or larger.excess:
                found = larger
                confirmed = confirm(session, found, shape, limits.targets_large, seeds)
    return conclude(session, found, shape, tuple(sizes), confirmed)


def told(session: Session, found: Examination, larger: Examination) -> None:
    """Note in `found` what a longer text showed, and where it decided nothing."""
    targets = larger.mini.targets
    if larger.sums:
        found.notes.append(f"sums in a text of {targets} tokens: {totals(larger)}")
    if not decided(session, larger):
        reason = larger.order.reason if larger.order is not None and larger.order.reason else "not tested to the end"
        found.notes.append(f"a text of {targets} tokens decided nothing: {reason}")


def keeper(folder: Path | None) -> Callable[[str, dict[str, bytes]], None] | None:
    """Return a function that writes a job's files below `folder`, for replay."""
    if folder is None:
        return None

    def write(name: str, files: dict[str, bytes]) -> None:
        for path, body in files.items():
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)

    return write


def longer(session: Session, found: Examination, shape: Shape) -> Examination | None:
    """Examine a longer text of the same shape; None where that cannot be done."""
    try:
        return again.longer(session, miniature(shape, session.limits.targets_large, 1), found)
    except (Undecided, JobFailed) as reason:
        found.notes.append(f"a longer text could not be run: {reason}")
        return None


def confirm(session: Session, found: Examination, shape: Shape, targets: int, seeds: int) -> bool | None:
    """Return whether a second seed shows the same violation; None where there is none to confirm."""
    if not (found.leak or found.excess):
        return None
    if seeds < 2:
        return False
    try:
        if found.leak and found.leak.kind == "shared by blocks":
            return again.leaks_again(session, miniature(shape, targets, 2), found.site)
        if found.leak and found.leak.kind == "suffix":
            return again.suffix_again(session, miniature(shape, targets, 2), found)
        if found.order is not None and found.order.order == "stream" and not found.leak:
            return again.sums_again(session, miniature(shape, targets, 2), found)
        second = contested.examine(session, miniature(shape, targets, 2))
        if second.site.key != found.site.key or second.headline != found.headline:
            raise Undecided("site-unstable", "on other text another place makes up the printed number")
        if second.leak and second.leak.kind == "shared by blocks":
            return again.leaks_again(session, second.mini, second.site)
        if second.deterministic is not True:
            raise Undecided("nondeterministic", "two equal runs were not seen to give equal scores")
    except (Undecided, JobFailed) as reason:
        found.notes.append(f"the second seed could not be run: {reason}")
        return False
    return bool(second.leak) if found.leak else bool(second.excess)


def worth_longer(session: Session, found: Examination, started: float) -> bool:
    """Say whether the script compares with a number that only the longer text reaches, and there is time for that."""
    if found.deterministic is False or not {"c1", "c2"} & session.conditions:
        return False
    sources = (session.script.source, *session.script.helpers.values())
    reached = thresholds(sources, found.mini.targets, session.limits.targets_large * found.mini.shape.scale)
    if not reached:
        return False
    if session.left() <= time.monotonic() - started:
        found.notes.append(f"no time for a longer text, though the script compares with {reached[-1]}")
        return False
    return True
