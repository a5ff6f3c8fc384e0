"""The report for a terminal. Everything that a submission can influence goes through `visible` and never as markup."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from auditor.limits import DEFAULT_LIMITS, ReportLimits
from auditor.model.evidence import SeedRow
from auditor.model.finding import PathStep
from auditor.model.report import AuditReport, JudgedFinding, SubmissionReport
from auditor.model.source import Span
from auditor.report.evidence_table import HEADER, evidence_cells
from auditor.report.json import level
from auditor.report.visible import visible

_VERDICT_STYLE = {
    "LOOKS_CLEAN": "bold green",
    "NEEDS_REVIEW": "bold yellow",
    "NEEDS_AUTHOR_ACTION": "bold magenta",
    "COMPLIANCE_FLAG": "bold red",
    "UNREADABLE": "bold red",
}
_LEVEL_STYLE = {"error": "red", "warning": "yellow", "note": "cyan"}
_LEVEL_ORDER = ("error", "warning", "note")
_CODE_DEFAULT = "code default"


def render(
    report: AuditReport, *, width: int = 120, color: bool = False, limits: ReportLimits = DEFAULT_LIMITS.report
) -> str:
    """Return the report as lines of at most `width` columns, with ANSI colours of our own where `color` asks for it."""
    console, buffer = _console(width, color)
    writer = _Writer(limits)
    head = "" if report.head is None else f", head {report.head[:12]}"
    console.print(Text(f"pgolf {report.version}, edition {report.edition}{head}: {writer.safe(report.root)}"))
    for problem in report.problems:
        console.print(Text(f"{writer.safe(problem.path)}: {writer.safe(problem.message)}", style="yellow"))
    for submission in report.submissions:
        console.print()
        console.print(writer.submission(submission))
    if not report.submissions:
        console.print(Text("no submission found: nothing here looks like a record folder"))
    for waiver in report.stale_waivers:
        console.print(Text(f"stale waiver {waiver.fingerprint}: {writer.safe(waiver.reason)}", style="yellow"))
    if len(report.submissions) > 1:
        console.print()
        console.print(_tally(report))
    return _lines(buffer)


def render_findings(
    picked: Iterable[tuple[SubmissionReport, JudgedFinding]],
    *,
    width: int = 120,
    limits: ReportLimits = DEFAULT_LIMITS.report,
) -> str:
    """Return findings alone, each with its submission's path."""
    console, buffer = _console(width, False)
    writer = _Writer(limits)
    for submission, judged in picked:
        console.print(Text(writer.safe(submission.path), style="bold"))
        console.print(writer.finding(submission, judged))
    return _lines(buffer)


def _console(width: int, color: bool) -> tuple[Console, io.StringIO]:
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    return console, buffer


def _lines(buffer: io.StringIO) -> str:
    return "\n".join(line.rstrip() for line in buffer.getvalue().split("\n"))


class _Writer:
    """Turns parts of a report into renderables, cutting texts at the limits."""

    def __init__(self, limits: ReportLimits) -> None:
        self._limits = limits

    def safe(self, text: str) -> str:
        """Return a message as a person may see it."""
        return visible(text, self._limits.message_chars)

    def submission(self, report: SubmissionReport) -> RenderableType:
        """Return everything about one submission."""
        parts: list[RenderableType] = list(self._head(report))
        ordered = sorted(report.findings, key=lambda judged: _LEVEL_ORDER.index(level(judged.finding)))
        if ordered:
            parts += [Text("\n  Findings", style="bold"), *(self.finding(report, judged) for judged in ordered)]
        if report.passes:
            parts.append(Text("\n  Established", style="bold"))
            parts += [_indent(Text(f"{said.rule}  {self.safe(said.established)}"), 4) for said in report.passes]
        if report.evidence.seeds:
            parts += [Text("\n  Runs", style="bold"), _indent(self._seeds(report.evidence.seeds), 4)]
            parts += self._hosts(report.evidence.seeds)
        if "smoke" in report.facts:
            parts += [Text("\n  Smoke test (as the script's own process told it)", style="bold")]
            parts += self._smoke(report.facts["smoke"])
        settings = list(self._settings(report.facts))
        if settings:
            parts += [Text("\n  Settings of the run (code defaults left out)", style="bold"), *settings]
        return Group(*parts)

    def _head(self, report: SubmissionReport) -> Iterator[RenderableType]:
        yield Text(f"{self.safe(report.path)}  [{report.track}]", style="bold")
        verdict = report.verdict.value
        yield _indent(Text.assemble((verdict, _VERDICT_STYLE[verdict]), f"  {report.recommendation}"), 2)
        legality = report.legality
        active = ", ".join(legality.classes_active) or "no class established"
        inactive = f"; present but not active: {', '.join(legality.classes_inactive)}" * bool(legality.classes_inactive)
        yield _indent(Text(f"eval path: {legality.verdict.value} ({active}{inactive})"), 2)
        yield _indent(Text(self._headline(report)), 2)
        if report.copy_of is not None:
            yield _indent(Text(f"byte-identical copy of {self.safe(report.copy_of)}"), 2)

    def _headline(self, report: SubmissionReport) -> str:
        headline = report.legality.headline
        script = f"script: {self.safe(report.script or 'none')} ({self.safe(report.script_reason)})"
        if headline is None:
            return f"claimed number: none found; {script}"
        bpb = "unknown" if headline.bpb is None else f"{headline.bpb:.8g}"
        where = "" if headline.function is None else f" from {self.safe(headline.function)}"
        line = "" if headline.line is None else f" (line {headline.line})"
        return f"claimed val_bpb {bpb}{where}{line}: {self.safe(headline.how)}; {script}"

    def finding(self, report: SubmissionReport, judged: JudgedFinding) -> RenderableType:
        """Return one finding with its evidence path."""
        finding = judged.finding
        named = level(finding)
        place = "" if finding.location is None else f"  {self._place(finding.location)}"
        title = Text.assemble(
            (f"{finding.rule} {finding.slug}", f"bold {_LEVEL_STYLE[named]}"),
            f"  {finding.ruling.value} ({named}){place}",
        )
        parts: list[RenderableType] = [_indent(title, 4), _indent(Text(self.safe(finding.message)), 6)]
        if finding.latent is not None:
            parts.append(_indent(Text(f"not active in this run; enabled by {self.safe(finding.latent)}"), 6))
        if finding.location is not None and not finding.path:
            parts += self._quote(report, finding.location)
        for number, step in enumerate(finding.path[: self._limits.path_steps], start=1):
            parts += self._step(report, number, step)
        if len(finding.path) > self._limits.path_steps:
            parts.append(_indent(Text(f"... {len(finding.path) - self._limits.path_steps} more steps"), 6))
        parts += [_indent(Text(line, style="dim"), 6) for line in self._footer(judged)]
        return Group(*parts)

    def _footer(self, judged: JudgedFinding) -> Iterator[str]:
        cited = "; ".join(f"{row.source}, {row.date} ({row.status})" for row in judged.finding.citations)
        if cited:
            yield f"rulings: {cited}"
        yield f"fingerprint {judged.fingerprint}"
        if judged.waiver is not None:
            yield f"WAIVED {judged.waiver.date}: {self.safe(judged.waiver.reason)}"

    def _step(self, report: SubmissionReport, number: int, step: PathStep) -> Iterator[RenderableType]:
        where = self._place(step.span) + (f" in {self.safe(step.function)}" if step.function else "")
        yield _indent(
            Text.assemble((f"{number:>2}  {self.safe(step.event):<12}", "bold"), f"  {self.safe(step.message)}"), 6
        )
        yield _indent(Text(where, style="dim"), 10)
        yield from self._quote(report, step.span)

    def _quote(self, report: SubmissionReport, span: Span) -> Iterator[RenderableType]:
        line = report.source_line(span)
        if line is not None and line.strip():
            yield _indent(Text(f"{span.line:>6} | {visible(line, self._limits.source_line_chars)}", style="dim"), 10)

    def _place(self, span: Span) -> str:
        layer = f" (decoded, layer {span.layer})" if span.layer else ""
        return f"{self.safe(span.file)}:{span.line}{layer}"

    def _seeds(self, seeds: tuple[SeedRow, ...]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column(HEADER[0], overflow="fold")
        for name in HEADER[1:-3]:
            table.add_column(name, justify="right", no_wrap=True)
        for cells in evidence_cells(seeds):
            table.add_row(*(Text(self.safe(cell)) for cell in cells[:-3]))
        return table

    def _hosts(self, seeds: tuple[SeedRow, ...]) -> Iterator[RenderableType]:
        """Yield what ran the runs, once where it is the same for all: no table has the width for it."""
        files: dict[str, list[str]] = {}
        for cells in evidence_cells(seeds):
            told = ", ".join(f"{name} {cell}" for name, cell in zip(HEADER[-3:], cells[-3:], strict=True))
            files.setdefault(told, []).append(cells[0])
        for told, which in files.items():
            whose = "" if len(files) == 1 else f" ({', '.join(which)})"
            yield _indent(Text(self.safe(told + whose), style="dim"), 4)

    def _smoke(self, told: dict[str, Any]) -> Iterator[RenderableType]:
        yield _indent(Text(self.safe(told["line"])), 4)
        yield from (_indent(Text(self.safe(text), style="dim"), 6) for text in told["details"])

    def _settings(self, facts: dict[str, Any]) -> Iterator[RenderableType]:
        for name, entry in facts["config"]["declared"].items():
            if entry["from"] != _CODE_DEFAULT:
                yield _indent(Text(self.safe(f"{name}={entry['value']}  ({entry['from']})")), 4)


def _indent(renderable: RenderableType, columns: int) -> Padding:
    return Padding(renderable, (0, 0, 0, columns))


def _tally(report: AuditReport) -> Text:
    counts: dict[str, int] = {}
    for submission in report.submissions:
        counts[submission.verdict.value] = counts.get(submission.verdict.value, 0) + 1
    listed = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return Text(f"{len(report.submissions)} submissions: {listed}")
