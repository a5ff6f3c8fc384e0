"""The whole proof of one script: ladder of miniatures, second seed, second size, one outcome."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from auditor.errors import BudgetExceeded
from auditor.limits import ProverLimits
from auditor.prover import examine as ex
from auditor.prover.confine import JobFailed
from auditor.prover.job import Script, Shape, miniature
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Condition, MetricTested, Proof
from auditor.prover.session import Session, Undecided

CONDITIONS = frozenset({"c1", "c2", "c3", "c4"})
SMALL = Shape("small")
HEADS = Shape("heads of their own width", width=256)
LADDER = (
    (r"torchrun|distributed|process group|\bRANK\b", Shape("as launched by torchrun", launched=True)),
    (r"too short|too few tokens|not enough tokens", Shape("twice the text", scale=2)),
    (r"view.*as|uint16|int16|bfloat16|half|dtype", Shape("real half precision", real_halves=True)),
    (r"vocab|piece|byte|token id|tokenizer", Shape("320 pieces", vocab=320, byte_fallback=True)),
    (r"rope|head|dim|shape|size|expand|divisible|multiply|must|param|index", HEADS),
)
"""(what the failure of the small shape speaks of, the shape to try then)."""


def prove(
    script: Script,
    *,
    headline: str | None = None,
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
    with Session(script, limits, conditions, headline, progress, started + total, keep=keeper(keep)) as session:
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
    if confirmed is None and worth_larger(session, found, started):
        larger = repeat(session, shape, limits.targets_large, 1)
        if larger is not None:
            sizes.append(limits.targets_large)
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


def climb(session: Session) -> tuple[ex.Examination, Shape]:
    """Try the small shape, then what its failure asks for, then fewer deduced settings.

    The first failure is reported when none reaches the metric.
    """
    shape, first = SMALL, None
    doubtful = list(session.script.doubtful)
    while True:
        try:
            return ex.examine(session, miniature(shape, session.limits.targets, 1), doubtful=first is not None), shape
        except (Undecided, JobFailed) as reason:
            crashed = isinstance(reason, Undecided) and reason.reason_class in ("crash", "missing-file")
            following = next_shape(str(reason), shape) if crashed else None
            first = first or reason
            session.progress(f"{shape.name}: {reason}")
            if session.left() < 20 or (not crashed and reason is first):
                raise first from None
            if crashed and (blamed := blamed_settings(session, str(reason))):
                leave_out(session, blamed)
                following = shape
            elif following is None and doubtful:
                leave_out(session, doubtful.pop(0))
                following = SMALL
            if following is None:
                raise first from None
            shape = following


def leave_out(session: Session, names: frozenset[str]) -> None:
    """Go on without the settings `names`, which were deduced and not given by a run command."""
    script = session.script
    session.progress(f"without settings deduced from logs: {len(names)}")
    kept = {name: value for name, value in script.environment.items() if name not in names}
    session.left_out = (*session.left_out, *sorted(names & script.environment.keys()))
    session.script = replace(script, environment=kept)


def blamed_settings(session: Session, error: str) -> frozenset[str]:
    """Return the settings deduced from logs whose text the error quotes: most likely it was torn from a print."""
    values = session.script.environment
    deduced = frozenset().union(*session.script.doubtful) & values.keys()
    return frozenset(name for name in deduced if not values[name].isdigit() and repr(values[name]) in error)


def next_shape(error: str, tried: Shape) -> Shape | None:
    """Return the shape that the kind of failure asks for, None where no other shape would help."""
    error = error.split(" at line ")[0]
    if tried is HEADS:
        return Shape("own width", width=None) if re.search(LADDER[-1][0], error, re.IGNORECASE) else None
    if tried is not SMALL:
        return None
    return next((shape for pattern, shape in LADDER if re.search(pattern, error, re.IGNORECASE)), None)


def repeat(session: Session, shape: Shape, targets: int, seed: int) -> ex.Examination | None:
    """Examine another miniature of the same shape; None where that cannot be done."""
    try:
        return ex.examine(session, miniature(shape, targets, seed))
    except (Undecided, JobFailed):
        return None


def confirm(session: Session, found: ex.Examination, shape: Shape, targets: int, seeds: int) -> bool | None:
    """Return whether a second seed shows the same violation; None where there is none to confirm."""
    if not (found.leak or found.excess):
        return None
    if seeds < 2:
        return False
    try:
        if found.leak and found.leak.kind == "shared by blocks":
            return ex.leaks_again(session, miniature(shape, targets, 2))
        if found.order is not None and found.order.order == "stream" and not found.leak:
            return ex.sums_again(session, miniature(shape, targets, 2))
        second = ex.examine(session, miniature(shape, targets, 2))
    except (Undecided, JobFailed) as reason:
        found.notes.append(f"the second seed could not be run: {reason}")
        return False
    return bool(second.leak) if found.leak else bool(second.excess)


def worth_larger(session: Session, found: ex.Examination, started: float) -> bool:
    """Return True when the time left allows the larger stream."""
    if "c2" not in session.conditions and "c1" not in session.conditions:
        return False
    if session.limits.targets_large <= session.limits.targets:
        return False
    spent = time.monotonic() - started
    scale = session.limits.targets_large / session.limits.targets
    return found.deterministic is not False and session.left() > spent * scale / 2


def conclude(
    session: Session, found: ex.Examination, shape: Shape, sizes: tuple[int, ...], confirmed: bool | None
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
        coverage=ex.coverage_of(found),
        notes=(*found.notes, *left_out_note(session)),
    )  # fmt: skip


def left_out_note(session: Session) -> tuple[str, ...]:
    if not session.left_out:
        return ()
    names = ", ".join(session.left_out[:12]) + (", ..." if len(session.left_out) > 12 else "")
    return (f"left at the code's defaults, as the script crashed under what logs say of them: {names}",)


def outcome_of(session: Session, found: ex.Examination, confirmed: bool | None) -> tuple[Outcome, str, str]:
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
    coverage, denominator = ex.counts(found)
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


def clean_or_not(session: Session, found: ex.Examination, note: str) -> tuple[Outcome, str, str]:
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
    if "c2" in session.conditions and not any(s.consistent for s in found.sums):
        return Outcome.UNDECIDED, "sums", "no position's probabilities could be summed to 1 over the whole vocabulary"
    return Outcome.CLEAN_IN_MINIATURE, "", "no violation in the code that ran" + (f" ({note})" if note else "")


def conditions_of(session: Session, found: ex.Examination) -> list[Condition]:
    """Describe every tested condition in one sentence each."""
    rows: list[Condition] = []
    if session.conditions & {"c1", "c3"}:
        order = found.order
        holds = False if found.leak else None if order is None else order.holds
        said = "not decided" if order is None else order.reason or f"{order.order} order of scoring"
        rows.append(Condition("C1+C3", holds, found.leak.message if found.leak else f"scores before updates: {said}"))
    if "c2" in session.conditions:
        shown = ", ".join(f"{s.total:.6f} at token {s.position}" for s in found.sums if s.total is not None)
        complete = any(s.consistent for s in found.sums)
        rows.append(
            Condition("C2", False if found.excess else (True if complete else None), f"sums: {shown or 'none'}")
        )
    coverage, denominator = ex.counts(found)
    if "c4" in session.conditions:
        once = coverage.scores <= 1.5 * coverage.targets
        rows.append(Condition("C4", once, coverage.note or f"each of {coverage.targets} targets is scored once"))
    ratio = denominator.ratio
    said = "not derivable from what is printed" if ratio is None else f"{ratio:.4f} times the bytes of the text"
    rows.append(Condition("bytes", None if ratio is None else not denominator.differ, said))
    return rows
