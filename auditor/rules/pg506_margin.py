"""PG506: the improvement over the accepted record before, with both significance bars of the contest's history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import fmean

from auditor.intake.manifest import read_manifest
from auditor.measure.stats import Margin, frontier, margin, mean_and_std, record_before
from auditor.model.finding import Effect, Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.measured import is_record, number_of

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_GUESSED = ("no claim", "no logs", "not found", "near", "training line")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """State mean, spread and the one-sided Welch test; nothing here is more than a note."""
    date = submission_date(ctx)
    values = [row.bpb for row in ctx.evidence.seeds if row.bpb is not None]
    if not is_record(ctx) or date is None or not values or ctx.evidence.headline.level in _GUESSED:
        return
    record = record_before(date, frontier())
    if record is None:
        return
    losses = [(row.val_loss, row.bpb) for row in ctx.evidence.seeds if row.val_loss and row.bpb]
    found = margin(values, fmean(loss / bpb for loss, bpb in losses) if losses else None, record)
    if found is None:
        return
    mean, std = mean_and_std(values)
    spread = "" if std is None else f" (std {std:.5f}, {len(values)} runs)"
    head = f"val_bpb {mean:.5f}{spread} against {record.score:g} of PR {record.pull_request} ({record.date})"
    text = f"{head}: {found.bpb:+.5f} bpb better, {_nats(found)}, {_test(found)}"
    nats, alpha = number_of(ctx, "margin_nats"), number_of(ctx, "margin_p")
    if found.nats is not None and found.nats >= nats and found.p_value is not None and found.p_value < alpha:
        yield ctx.established(f"{text}; meets the README's bar of {nats:g} nats at p < {alpha:g}")
        return
    late = number_of(ctx, "margin_p_practice") if "margin_p_practice" in ctx.edition.numbers else None
    practice = "" if late is None else f"; later practice asked for p < {late:g} ({_meets(found, late)})"
    yield ctx.violation(
        f"{text}; below the README's bar of {nats:g} nats at p < {alpha:g}{practice}", effect=Effect.NOTE
    )


def submission_date(ctx: RuleContext) -> str | None:
    """Return the submission's date: submission.json's, else the one its folder name begins with."""
    stated = read_manifest(ctx.submission).data.get("date")
    for text in (stated if isinstance(stated, str) else "", ctx.submission.name):
        match = _DATE.match(text)
        if match:
            return match[0]
    return None


def _nats(found: Margin) -> str:
    return "nats unknown" if found.nats is None else f"{found.nats:+.5f} nats per token"


def _test(found: Margin) -> str:
    return "no test possible (one value)" if found.p_value is None else f"one-sided Welch p = {found.p_value:.3g}"


def _meets(found: Margin, alpha: float) -> str:
    return "unknown" if found.p_value is None else "met" if found.p_value < alpha else "not met"
