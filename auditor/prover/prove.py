"""The whole proof of one script: ladder of miniatures, second seed, second size, one outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from auditor.errors import BudgetExceeded
from auditor.limits import ProverLimits
from auditor.prover import again, contested
from auditor.prover.confine import JobFailed
from auditor.prover.examination import Examination, counts, coverage_of
from auditor.prover.job import Script, Shape, miniature
from auditor.prover.ladder import climb
from auditor.prover.normalise import holds
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Condition, MetricTested, Proof
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
    except (JobFailed, BudgetExceeded) as problem:
        return Proof(Outcome.UNDECIDED, "budget" if session.left() < 5 else "sandbox", str(problem))
    sizes = [limits.targets]
    confirmed = confirm(session, found, shape, limits.targets, seeds)
    if confirmed is None and worth_longer(session, found, started):
        larger = longer(session, found, shape)
        if larger is not None:
            sizes.append(limits.targets_large)
            totals = ", ".join(f"{s.total:.6f} at token {s.position}" for s in larger.sums if s.total is not None)
            found.notes.append(f"sums in a text of {limits.targets_large} tokens: {totals or 'none'}")
            if larger.leak or larger.excess:
                found = larger
                confirmed = confirm(session, found, shape, limits.targets_large, seeds)
    return conclude(session, found, shape, tuple(sizes), confirmed)


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
    except (Undecided, JobFailed) as reason:
        found.notes.append(f"the second seed could not be run: {reason}")
        return False
    return bool(second.leak) if found.leak else bool(second.excess)


def worth_longer(session: Session, found: Examination, started: float) -> bool:
    """Say whether the script compares with a number that only the longer text reaches, and there is time for that."""
    limits = session.limits
    if found.deterministic is False or not {"c1", "c2"} & session.conditions:
        return False
    sources = (session.script.source, *session.script.helpers.values())
    reached = thresholds(sources, limits.targets, limits.targets_large)
    if not reached:
        return False
    if session.left() <= time.monotonic() - started:
        found.notes.append(f"no time for a longer text, though the script compares with {reached[-1]}")
        return False
    return True


def conclude(
    session: Session, found: Examination, shape: Shape, sizes: tuple[int, ...], confirmed: bool | None
) -> Proof:
    """Turn what was found into one outcome."""
    outcome, reason_class, reason = outcome_of(session, found, confirmed)
    site = found.site
    return Proof(
        outcome=outcome,
        reason_class=reason_class,
        reason=reason,
        metric=MetricTested(
            site.metric.line.text[:160], site.function, site.source_line, site.target, site.scored, site.entries,
            site.by, found.headline,
        ),
        conditions=tuple(conditions_of(session, found)),
        witness=found.leak or found.excess,
        confirmed=bool(confirmed),
        shape=shape.name,
        sizes=sizes,
        lowered=found.log.lowered,
        stubs=found.log.stubs,
        kernels_skipped=found.log.launches,
        coverage=coverage_of(found),
        notes=(*found.notes, *left_out_note(session)),
    )  # fmt: skip


def left_out_note(session: Session) -> tuple[str, ...]:
    if not session.left_out:
        return ()
    names = ", ".join(session.left_out[:12]) + (", ..." if len(session.left_out) > 12 else "")
    return (f"left at the code's defaults, as the script crashed under them: {names}",)


def outcome_of(session: Session, found: Examination, confirmed: bool | None) -> tuple[Outcome, str, str]:
    """Return (outcome, reason class, reason)."""
    if found.deterministic is False:
        return Outcome.NONDETERMINISTIC, "nondeterministic", "two equal runs gave different scores"
    witness = found.leak or found.excess
    if witness is not None:
        if found.headline is False:
            return (
                Outcome.UNDECIDED,
                "headline-not-reached",
                f"seen on another line than the claimed: {witness.message}",
            )
        if not confirmed:
            return Outcome.UNDECIDED, "not-repeated", f"seen once, not on a second seed: {witness.message}"
        return (Outcome.LEAK if found.leak else Outcome.NOT_NORMALISED), "", witness.message
    coverage, denominator = counts(found)
    if coverage.scores > 1.5 * coverage.targets:
        return Outcome.RESCORED, "", coverage.note
    if denominator.differ:
        assert denominator.ratio is not None
        return (
            Outcome.BYTES_DIFFER,
            "",
            f"the printed numbers imply {denominator.ratio:.4f} times the bytes of the text",
        )
    return clean_or_not(session, found, coverage.note)


def clean_or_not(session: Session, found: Examination, note: str) -> tuple[Outcome, str, str]:
    order = found.order
    if found.headline is False:
        return (
            Outcome.UNDECIDED,
            "headline-not-reached",
            "the line of the claimed number was not printed or not located",
        )
    if session.conditions & {"c1", "c3"} and (order is None or order.holds is None):
        return Outcome.UNDECIDED, "order", order.reason if order else "the order of scoring was not tested"
    if order is not None and order.order == "own" and not any(s.anchored for s in found.sums):
        return Outcome.UNDECIDED, "order", "which score is a token's own could not be established by its sum"
    if "c2" in session.conditions and not sums_hold(found):
        return Outcome.UNDECIDED, "sums", "no position's probabilities could be summed to 1 over the whole vocabulary"
    said = "; ".join(text for text in (note, skipped(found)) if text)
    return Outcome.CLEAN_IN_MINIATURE, "", "no violation in the code that ran" + (f" ({said})" if said else "")


def skipped(found: Examination) -> str:
    """Say that kernels did not run: nothing is shown of what they compute."""
    count = found.log.launches
    return f"{count} launches of GPU kernels were skipped: nothing is shown of what those compute" if count else ""


def sums_hold(found: Examination) -> bool:
    """Say whether the probabilities of a position were seen to sum to 1, or to less at the score known as its own."""
    stream = found.order is not None and found.order.order == "stream"
    return any(holds(s, s.position - 1 if stream else None) for s in found.sums)


def conditions_of(session: Session, found: Examination) -> list[Condition]:
    """Describe every tested condition in one sentence each."""
    rows: list[Condition] = []
    if session.conditions & {"c1", "c3"}:
        order = found.order
        holds = False if found.leak else None if order is None else order.holds
        said = "not decided" if order is None else order.reason or f"{order.order} order of scoring"
        rows.append(Condition("C1+C3", holds, found.leak.message if found.leak else f"scores before updates: {said}"))
    if "c2" in session.conditions:
        shown = ", ".join(f"{s.total:.6f} at token {s.position}" for s in found.sums if s.total is not None)
        complete = sums_hold(found)
        rows.append(
            Condition("C2", False if found.excess else (True if complete else None), f"sums: {shown or 'none'}")
        )
    coverage, denominator = counts(found)
    if "c4" in session.conditions:
        once = coverage.scores <= 1.5 * coverage.targets
        rows.append(Condition("C4", once, coverage.note or f"each of {coverage.targets} targets is scored once"))
    ratio = denominator.ratio
    said = "not derivable from what is printed" if ratio is None else f"{ratio:.4f} times the bytes of the text"
    rows.append(Condition("bytes", None if ratio is None else not denominator.differ, said))
    return rows
