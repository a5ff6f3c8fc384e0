"""Turn what the miniatures of one script showed into one outcome. Pure functions."""

from __future__ import annotations

from auditor.prover.examination import Examination, counts, coverage_of
from auditor.prover.job import Shape
from auditor.prover.normalise import holds
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Condition, MetricTested, Proof
from auditor.prover.session import Session


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
    if found.headline is False:
        reason = "the line of the claimed number was not printed or not located"
        if witness is not None:
            reason = f"seen on another line than the claimed: {witness.message}"
        return Outcome.UNDECIDED, "headline-not-reached", reason
    if witness is not None:
        if not confirmed:
            return Outcome.UNDECIDED, "not-repeated", f"seen once, not on a second seed: {witness.message}"
        return (Outcome.LEAK if found.leak else Outcome.NOT_NORMALISED), "", witness.message
    coverage, denominator = counts(found)
    if "c4" in session.conditions and coverage.twice:
        return Outcome.RESCORED, "", coverage.note
    if denominator.differ:
        reason = f"the printed numbers imply {denominator.ratio:.4f} times the bytes of the text"
        return Outcome.BYTES_DIFFER, "", reason
    return clean_or_not(session, found, coverage.note)


def clean_or_not(session: Session, found: Examination, note: str) -> tuple[Outcome, str, str]:
    order = found.order
    if session.conditions & {"c1", "c3"} and (order is None or order.holds is None):
        return Outcome.UNDECIDED, "order", order.reason if order else "the order of scoring was not tested"
    if order is not None and order.order == "own" and not any(s.anchored for s in found.sums):
        return Outcome.UNDECIDED, "order", "which score is a token's own could not be established by its sum"
    if "c2" in session.conditions and not sums_hold(found):
        return Outcome.UNDECIDED, "sums", "no position's probabilities could be summed to 1 over the whole vocabulary"
    if session.conditions & {"c1", "c2", "c3"} and found.deterministic is None:
        return Outcome.UNDECIDED, "no-result", "the run that repeats the first one did not end in time"
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
        complete = sums_hold(found)
        rows.append(Condition("C2", False if found.excess else (True if complete else None), f"sums: {totals(found)}"))
    coverage, denominator = counts(found)
    if "c4" in session.conditions:
        rows.append(
            Condition("C4", not coverage.twice, coverage.note or f"each of {coverage.targets} targets is scored once")
        )
    ratio = denominator.ratio
    said = "not derivable from what is printed" if ratio is None else f"{ratio:.4f} times the bytes of the text"
    rows.append(Condition("bytes", None if ratio is None else not denominator.differ, said))
    return rows


def decided(session: Session, found: Examination) -> bool:
    """Say whether an examination convicts, or tested what its conditions ask for."""
    if found.leak or found.excess:
        return True
    ordered = not session.conditions & {"c1", "c3"} or (found.order is not None and found.order.holds is True)
    return ordered and found.deterministic is True and ("c2" not in session.conditions or sums_hold(found))


def totals(found: Examination) -> str:
    return ", ".join(f"{s.total:.6f} at token {s.position}" for s in found.sums if s.total is not None) or "none"
