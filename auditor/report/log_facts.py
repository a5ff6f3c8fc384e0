"""Render the facts of logs as a table of runs or as JSON. Hostile text never reaches a terminal raw."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.report.evidence_table import HEADER, evidence_cells
from auditor.report.visible import visible
from auditor.usecases.readlogs import LogReport, as_json

_TEXT_COLUMNS = ("log", "python", "torch", "GPU")
_WIDTH = 160


def render_json(reports: Sequence[LogReport]) -> str:
    """Return {"schema_version": 1, "logs": [...]} with one object per log."""
    document = {"schema_version": 1, "logs": [as_json(report) for report in reports]}
    return json.dumps(document, ensure_ascii=True, indent=1) + "\n"


def render_text(reports: Sequence[LogReport]) -> str:
    """Return the table of runs, then per log its metrics and what does not fit together."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in HEADER:
        table.add_column(name, justify="left" if name in _TEXT_COLUMNS else "right", overflow="fold")
    for cells in evidence_cells([report.row for report in reports]):
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, color_system=None, force_terminal=False, highlight=False, markup=False)
    console.print(table)
    for report in reports:
        console.print(Text(f"\n{visible(report.log.file)}: {_described(report)}"))
        for metric in report.log.metrics:
            mark = "  (diagnostic)" if metric.diagnostic else ""
            spent = "" if metric.eval_ms is None else f"  {metric.eval_ms / 1000:.1f} s"
            console.print(Text(f"  {metric.line:>6}  {metric.bpb}  {visible(metric.name)}{spent}{mark}"))
        for note in report.notes:
            console.print(Text(f"  note: {visible(note)}"))
    return out.getvalue()


def _described(report: LogReport) -> str:
    log = report.log
    runs = f", {log.runs} runs (the last counts)" if log.runs > 1 else ""
    if report.headline.metric is None:
        return f"family {log.family}, {log.encoding}{runs}; no final metric"
    name = visible(report.headline.metric.name)
    return f"family {log.family}, {log.encoding}{runs}; last result {name} (a guess: no claim to match)"
