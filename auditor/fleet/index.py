"""The index of a corpus run: one page, one row per submission, to filter, sort and search without a server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.fleet.store import Row, read
from auditor.fleet.work import report_name
from auditor.model.verdict import LegalityVerdict
from auditor.report.emit import write
from auditor.report.html.markup import Html, tag
from auditor.report.html.page import page

_COLUMNS = ("task", "verdict", "submission", "track", "eval path", "classes", "claimed bpb", "bytes", "findings")
_NUMBERS = frozenset({"claimed bpb", "bytes"})
_VERDICTS = ("COMPLIANCE_FLAG", "NEEDS_AUTHOR_ACTION", "NEEDS_REVIEW", "LOOKS_CLEAN", "UNREADABLE", "FAILED", "EMPTY")
_TRACK = re.compile(r"^records/track[^/]*/")
_TRACKS = ("record", "non-record", "unknown")
_LEGALITIES = tuple(value.value for value in LegalityVerdict)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table; a task without a submission has a task, a verdict and what is said of it."""

    task: Html | str
    verdict: str
    path: str = ""
    said: str = ""
    track: str = ""
    legality: str = ""
    classes: str = ""
    bpb: float | None = None
    total: int | None = None
    rules: str = ""


def write_index(results: Path, target: Path) -> None:
    """Write the page for a results file; a task's report is linked where it stands in reports/ beside the page."""
    header, rows = read(results)
    named = "" if header is None else f"tool {header.tool}, edition {header.edition}"
    reports = {path.name for path in (target.parent / "reports").glob("*.html")}
    write(target, render_index(rows, named, reports))


def render_index(rows: Iterable[Row], named: str, reports: Iterable[str] = ()) -> str:
    """Return the page; `named` says what made the rows, `reports` which report files exist."""
    linked = frozenset(reports)
    first: dict[str, str] = {}
    made = [one for row in rows for one in _rows(row.document(), linked, first)]
    controls = tag(
        "form",
        tag("label", "search ", tag("input", type="search", id="search", autocomplete="off")),
        _select("verdict", "verdict", _VERDICTS, Counter(one.verdict for one in made)),
        _select("track", "track", _TRACKS, Counter(one.track for one in made)),
        _select("legality", "eval path", _LEGALITIES, Counter(one.legality for one in made)),
        tag("output", f"{len(made)} of {len(made)}", id="count"),
    )
    table = tag("table", tag("thead", tag("tr", map(_heading, _COLUMNS))), tag("tbody", map(_row, made)))
    nothing = tag("p", "No row matches.", id="nothing", hidden=bool(made))
    top = (tag("h1", "pgolf corpus"), tag("p", named, class_="meta"), controls)
    main = tag("main", top, tag("div", table, nothing, class_="scroll", tabindex=0))
    return page("pgolf corpus", main, style="index.css", script="index.js")


def _heading(name: str) -> Html:
    aligned = "n" if name in _NUMBERS else None
    return tag("th", tag("button", name, type="button"), scope="col", aria_sort="none", class_=aligned)


def _select(name: str, label: str, values: Iterable[str], counts: Mapping[str, int]) -> Html:
    options = [tag("option", "all", value="")]
    options += [tag("option", f"{value} ({counts[value]:,})", value=value) for value in values if counts[value]]
    return tag("label", f"{label} ", tag("select", options, id=name))


def _rows(raw: dict[str, Any], linked: frozenset[str], first: dict[str, str]) -> Iterator[_Row]:
    """Yield the rows of a task; `first` remembers which task brought a folder's bytes first, by content hash."""
    name = report_name(raw["task"])
    task = tag("a", raw["task"], href=f"reports/{name}") if name in linked else raw["task"]
    if raw["failure"] is not None:
        yield _Row(task, "FAILED", said=raw["failure"])
    elif not raw["submissions"]:
        yield _Row(task, "EMPTY", said="adds no submission folder")
    for one in raw["submissions"]:
        legality = one["legality"]
        headline = legality["headline"] or {}
        earlier = first.setdefault(one["content_sha256"], raw["task"])
        yield _Row(
            task,
            one["verdict"],
            path=one["path"],
            said="" if earlier == raw["task"] else f" (same bytes as {earlier})",
            track=one["track"],
            legality=legality["verdict"],
            classes=", ".join(legality["classes_active"]),
            bpb=headline.get("bpb"),
            total=one["facts"]["size"].get("total_bytes"),
            rules=" ".join(sorted({finding["rule"] for finding in one["findings"] if finding["level"] != "note"})),
        )


def _row(row: _Row) -> Html:
    chip = tag("span", row.verdict.replace("_", " "), class_=f"chip v-{row.verdict}")
    bpb, total = row.bpb, row.total
    return tag(
        "tr",
        tag("td", row.task),
        tag("td", chip, data_sort=_VERDICTS.index(row.verdict) if row.verdict in _VERDICTS else 99),
        tag("td", _TRACK.sub("", row.path), tag("i", row.said) if row.said else None, class_="path", title=row.path),
        tag("td", row.track),
        tag("td", row.legality),
        tag("td", row.classes, class_="wide"),
        tag("td", "" if bpb is None else f"{bpb:.5f}", class_="n", data_sort="" if bpb is None else bpb),
        tag("td", "" if total is None else f"{total:,}", class_="n", data_sort="" if total is None else total),
        tag("td", row.rules, class_="wide"),
        data_verdict=row.verdict,
        data_track=row.track,
        data_legality=row.legality,
    )
