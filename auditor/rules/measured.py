"""What the rules on logs, sizes and times share: places in logs, and how the track lowers an effect."""

from __future__ import annotations

import re
from collections.abc import Iterable

from auditor.intake.manifest import read_manifest
from auditor.measure.select import main_logs, observed_seed
from auditor.model.finding import Effect, PathStep
from auditor.model.logs import LogFile
from auditor.model.source import Span
from auditor.model.submission import Track
from auditor.rules.context import RuleContext

_RAW_CHARS = 200
_NON_RECORD = re.compile(r"non[-_ ]?record|unlimited", re.I)
_BEHIND = ("mean", "single", "mean by seed", "mean of some logs", "other seed", "any value")
"""Ways of meeting a claim that name the runs behind it; the best seed was picked out of all."""


def place(file: str, line: int) -> Span:
    """Return the place of a log line."""
    return Span(file, 0, max(line, 1))


def step(file: str, line: int, raw: str, message: str) -> PathStep:
    """Return a step that quotes a log line."""
    return PathStep("LOG", place(file, line), "", f"{message}: {quoted(raw)}")


def quoted(raw: str) -> str:
    """Return a log line as a quotation, cut where it is long."""
    text = " ".join(raw.split())
    return f'"{text}"' if len(text) <= _RAW_CHARS else f'"{text[: _RAW_CHARS - 1]}…"'


def seed_name(log: LogFile) -> str:
    """Name a run: its seed where the log prints one, else its file."""
    seed = observed_seed(log)
    return log.file if seed is None else f"seed {seed} ({log.file})"


def counted_logs(ctx: RuleContext) -> list[LogFile]:
    """Return the logs that count for this submission."""
    return main_logs(ctx.evidence.logs)


def claimed_files(ctx: RuleContext) -> frozenset[str]:
    """Return the logs behind the claimed number; all of them where that is unknown or the best of them was chosen."""
    headline = ctx.evidence.headline
    everything = frozenset(log.file for log in counted_logs(ctx))
    if headline.level not in _BEHIND or not headline.matches:
        return everything
    return (frozenset(metric.file for metric in headline.matches) & everything) or everything


def is_record(ctx: RuleContext) -> bool:
    """Say whether the budgets of the record track bind: a folder whose track is unknown is held to them as well."""
    if ctx.submission.track is Track.UNKNOWN:
        stated = read_manifest(ctx.submission).data.get("track")
        return not (isinstance(stated, str) and _NON_RECORD.search(stated))
    return ctx.submission.track is Track.RECORD


def for_track(ctx: RuleContext, effect: Effect) -> Effect:
    """Return the effect under the record track and a note elsewhere: other tracks have no such budget."""
    return effect if is_record(ctx) else Effect.NOTE


def number_of(ctx: RuleContext, name: str) -> float:
    """Return a number of the edition."""
    return ctx.edition.numbers[name]


def counted(number: int, noun: str, verb: str = "") -> str:
    """Return "1 log prints" or "3 logs print": a number, its noun, and the verb, given in the plural, if any."""
    noun = noun if number == 1 else f"{noun}s"
    return f"{number} {noun}" + (f" {verb}{'s' if number == 1 else ''}" if verb else "")


def listing(items: Iterable[str], limit: int = 6) -> str:
    """Join the first items, saying how many more there are."""
    found = list(items)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more
