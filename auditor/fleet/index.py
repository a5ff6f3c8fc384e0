"""The index of a corpus run: one page, one row per submission, to filter, sort and search without a server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from auditor.fleet.store import Row, read
from auditor.fleet.work import report_name
from auditor.report.emit import write
from auditor.report.html.markup import Html, tag
from auditor.report.html.page import page

_COLUMNS = ("task", "submission", "track", "verdict", "eval path", "classes", "claimed bpb", "bytes", "findings")
_VERDICTS = ("COMPLIANCE_FLAG", "NEEDS_AUTHOR_ACTION", "NEEDS_REVIEW", "LOOKS_CLEAN", "UNREADABLE", "FAILED", "EMPTY")
_TRACK = re.compile(r"^records/track[^/]*/")
_TRACKS = ("record", "non-record", "unknown")


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
    body = [cells for row in rows for cells in _rows(row.document(), linked, first)]
    head = [tag("th", tag("button", name, type="button"), scope="col", aria_sort="none") for name in _COLUMNS]
    controls = tag(
        "form",
        tag("label", "search ", tag("input", type="search", id="search", autocomplete="off")),
        _select("verdict", _VERDICTS),
        _select("track", _TRACKS),
        tag("output", f"{len(body)} of {len(body)}", id="count"),
    )
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", body))
    title = tag("h1", "pgolf corpus")
    main = tag("main", title, tag("p", named, class_="meta"), controls, tag("div", table, class_="scroll", tabindex=0))
    return page("pgolf corpus", main, style="index.css", script="index.js")


def _select(name: str, values: Iterable[str]) -> Html:
    options = [tag("option", "all", value=""), *(tag("option", value, value=value) for value in values)]
    return tag("label", f"{name} ", tag("select", options, id=name))


def _rows(raw: dict[str, Any], linked: frozenset[str], first: dict[str, str]) -> Iterator[Html]:
    """Yield the rows of a task; `first` remembers which task brought a folder's bytes first, by content hash."""
    name = report_name(raw["task"])
    task = tag("a", raw["task"], href=f"reports/{name}") if name in linked else raw["task"]
    if raw["failure"] is not None:
        yield _row(task, "", "unknown", "FAILED", raw["failure"], "", None, None, "")
    elif not raw["submissions"]:
        yield _row(task, "", "unknown", "EMPTY", "adds no submission folder", "", None, None, "")
    for one in raw["submissions"]:
        legality = one["legality"]
        headline = legality["headline"] or {}
        total = one["facts"]["size"].get("total_bytes")
        rules = sorted({finding["rule"] for finding in one["findings"] if finding["level"] != "note"})
        earlier = first.setdefault(one["content_sha256"], raw["task"])
        copied = "" if earlier == raw["task"] else f" (same bytes as {earlier})"
        yield _row(
            task, one["path"], one["track"], one["verdict"], legality["verdict"],
            ", ".join(legality["classes_active"]), headline.get("bpb"), total, " ".join(rules), copied,
        )  # fmt: skip


def _row(
    task: str, path: str, track: str, verdict: str, legality: str, classes: str,
    bpb: float | None, total: int | None, rules: str, copied: str = "",
) -> Html:  # fmt: skip
    chip = tag("span", verdict.replace("_", " "), class_=f"chip v-{verdict}")
    return tag(
        "tr",
        tag("td", task),
        tag("td", _TRACK.sub("", path), copied, class_="path", title=path),
        tag("td", track),
        tag("td", chip, data_sort=_VERDICTS.index(verdict) if verdict in _VERDICTS else 99),
        tag("td", legality),
        tag("td", classes, class_="wide"),
        tag("td", "" if bpb is None else f"{bpb:.5f}", class_="n", data_sort="" if bpb is None else bpb),
        tag("td", "" if total is None else f"{total:,}", class_="n", data_sort="" if total is None else total),
        tag("td", rules, class_="wide"),
        data_verdict=verdict,
        data_track=track,
    )
