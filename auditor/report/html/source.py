"""The source pane: every layer as numbered lines, the steps of the findings written below the lines they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.limits import HtmlLimits
from auditor.model.report import SourceText, SubmissionReport
from auditor.report.html.markup import Html, tag


@dataclass(frozen=True, slots=True)
class Note:
    """One remark at a line: step `step` of finding `finding`, step 0 where the finding has no path.

    `finding` None is the place that printed the claimed number: always shown, and no step of anything.
    """

    finding: int | None
    step: int
    event: str
    message: str


_AFTER_FINDINGS = 1 << 30
"""Ranks a place behind those of every finding."""

Notes = dict[tuple[str, int, int], list[Note]]


def notes_of(report: SubmissionReport) -> Notes:
    """Return the remarks by (file, layer, line)."""
    notes: Notes = defaultdict(list)
    for number, judged in enumerate(report.findings):
        finding = judged.finding
        for step, at in enumerate(finding.path, start=1):
            notes[at.span.file, at.span.layer, at.span.line].append(Note(number, step, at.event, at.message))
        if not finding.path and finding.location is not None:
            at_line = finding.location
            notes[at_line.file, at_line.layer, at_line.line].append(Note(number, 0, finding.slug, finding.message))
    headline = report.legality.headline
    if headline is not None and headline.span is not None:
        span = headline.span
        notes[span.file, span.layer, span.line].append(Note(None, 0, "claimed number", headline.how))
    return notes


def anchor(prefix: str, finding: int, step: int) -> str:
    """Return the id of a note in the source pane."""
    return f"{prefix}-f{finding}-s{step}"


def pane(report: SubmissionReport, prefix: str, limits: HtmlLimits, *, whole: bool) -> Html | None:
    """Return the pane of one submission; with `whole` False only lines near a remark are in the file at all."""
    sources = _ordered(report.sources)
    if not sources:
        return None
    notes = notes_of(report)
    picked = _first_shown(sources, notes)
    tabs, panels = [], []
    for index, source in enumerate(sources):
        name = f"{prefix}-src{index}"
        shown = index == picked
        label = f"{source.file} {_layer_name(source, report)}"
        tabs.append(
            tag("button", label, type="button", role="tab", id=f"{name}-tab", aria_controls=name, data_panel=name,
                aria_selected="true" if shown else "false", class_="tab")
        )  # fmt: skip
        lines = list(_lines(source, notes, prefix, limits, whole=whole))
        panels.append(
            tag("div", lines, id=name, role="tabpanel", aria_labelledby=f"{name}-tab", hidden=not shown,
                class_="code", tabindex=0)
        )  # fmt: skip
    only = tag("label", tag("input", type="checkbox", class_="only-relevant", checked=True), " only relevant lines")
    head = tag("div", tag("div", tabs, role="tablist", aria_label="Layers and files"), only, class_="panehead")
    return tag("section", head, panels, class_="pane only", aria_label="Source")


def _ordered(sources: Sequence[SourceText]) -> list[SourceText]:
    """Put the payload before its shim: the highest layer of a file first."""
    files = list(dict.fromkeys(source.file for source in sources))
    return sorted(sources, key=lambda source: (files.index(source.file), -source.layer))


def _first_shown(sources: Sequence[SourceText], notes: Notes) -> int:
    """Return the pane that the first finding points into, else the one of the claimed number, else the first one."""
    ranked = [
        min((_AFTER_FINDINGS if note.finding is None else note.finding, note.step) for note in found)
        if (
            found := [
                note for (file, layer, _), rows in notes.items() if (file, layer) == (s.file, s.layer) for note in rows
            ]
        )
        else (_AFTER_FINDINGS + 1, 0)
        for s in sources
    ]
    return min(range(len(sources)), key=lambda index: (ranked[index], index))


def _layer_name(source: SourceText, report: SubmissionReport) -> str:
    layers = [other.layer for other in report.sources if other.file == source.file]
    if len(layers) == 1:
        return ""
    if source.layer == 0:
        return "(shim, as shipped)"
    how = " + ".join(source.codecs)
    return f"(payload, layer {source.layer}{', ' + how if how else ''})"


def _lines(source: SourceText, notes: Notes, prefix: str, limits: HtmlLimits, *, whole: bool) -> Iterator[Html]:
    lines = source.text.split("\n")
    near = _near(source, notes, len(lines), limits.context_lines)
    gap = False
    for number, line in enumerate(lines, start=1):
        relevant = number in near
        if not relevant and not whole:
            gap = True
            continue
        if gap:
            yield tag("div", "…", class_="gap near")
            gap = False
        here = notes.get((source.file, source.layer, number), ())
        classes = "l" + " near" * relevant + " hit" * bool(here)
        yield tag("div", tag("b", number), tag("code", _clip(line, limits)), class_=classes)
        for note in here:
            yield _note(note, prefix)
        if relevant and number + 1 not in near and number < len(lines) and whole:
            yield tag("div", "…", class_="gap near")


def _near(source: SourceText, notes: Notes, count: int, context: int) -> set[int]:
    hits = [line for file, layer, line in notes if (file, layer) == (source.file, source.layer)]
    if not hits:
        return set(range(1, min(count, 2 * context) + 1))
    return {line for hit in hits for line in range(max(1, hit - context), min(count, hit + context) + 1)}


def _clip(line: str, limits: HtmlLimits) -> str:
    rest = len(line) - limits.line_chars
    return line if rest <= 0 else f"{line[: limits.line_chars]} [+{rest} characters]"


def _note(note: Note, prefix: str) -> Html:
    step = tag("i", note.step or "•", class_="n")
    text = (step, tag("strong", note.event), " ", note.message)
    if note.finding is None:
        return tag("div", text, class_="note on")
    return tag("div", text, class_="note", id=anchor(prefix, note.finding, note.step), data_finding=note.finding)
