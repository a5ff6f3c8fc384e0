"""The page of an audit: for each submission its verdict, the evidence path beside the source, and what was measured."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import replace

from auditor.limits import DEFAULT_LIMITS, Limits, ReportLimits
from auditor.model.evidence import SeedRow
from auditor.model.finding import Finding, Ruling
from auditor.model.report import AuditReport, JudgedFinding, SubmissionReport
from auditor.model.source import Span
from auditor.report.evidence_table import HEADER, evidence_cells
from auditor.report.html.charts import curves, ledger
from auditor.report.html.markup import Html, join, tag
from auditor.report.html.page import page
from auditor.report.html.source import anchor, pane
from auditor.report.json import level
from auditor.report.markdown import render as render_markdown
from auditor.report.visible import visible

_LEVEL_ORDER = ("error", "warning", "note")


def render(report: AuditReport, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the page as one self-contained document."""
    total = sum(source.text.count("\n") + 1 for one in report.submissions for source in one.sources)
    whole = total <= limits.html.whole_lines
    parts = [_masthead(report, limits.report)]
    if len(report.submissions) > 1:
        parts.append(_contents(report.submissions))
    parts += [
        _submission(_prepared(one, limits.report), f"s{index}", limits, whole=whole)
        for index, one in enumerate(report.submissions)
    ]
    parts.append(_comment(report, limits))
    return page(f"pgolf: {report.root}", tag("main", parts), style="report.css", script="report.js")


def _masthead(report: AuditReport, limits: ReportLimits) -> Html:
    facts = [f"pgolf {report.version}", f"edition {report.edition}", report.root]
    facts += [f"head {report.head[:12]}"] if report.head else []
    shown = report.problems[: limits.problems]
    problems = [tag("li", tag("code", problem.path), ": ", problem.message) for problem in shown]
    if len(report.problems) > len(shown):
        problems.append(tag("li", f"{len(report.problems) - len(shown):,} further such remarks are in the JSON report"))
    stale = [tag("li", "stale waiver ", tag("code", one.fingerprint), ": ", one.reason) for one in report.stale_waivers]
    rows = tag("ul", problems, stale, class_="problems") if problems or stale else None
    keys = tag("p", tag("kbd", "j"), " next step, ", tag("kbd", "k"), " previous step", class_="keys")
    none = tag("p", "No submission was found here.") if not report.submissions else None
    return tag("header", tag("p", " · ".join(facts), class_="meta"), keys, rows, none)


def _contents(submissions: Sequence[SubmissionReport]) -> Html:
    rows = [tag("li", _chip(one), " ", tag("a", one.path, href=f"#s{index}")) for index, one in enumerate(submissions)]
    return tag("nav", tag("ol", rows), aria_label="Submissions")


def _prepared(report: SubmissionReport, limits: ReportLimits) -> SubmissionReport:
    """Order the findings worst first once, so that list, notes and keys agree, and cut what is too long to read."""
    ordered = sorted(report.findings, key=lambda judged: _LEVEL_ORDER.index(level(judged.finding)))
    return replace(report, findings=tuple(replace(one, finding=_cut(one.finding, limits)) for one in ordered))


def _cut(finding: Finding, limits: ReportLimits) -> Finding:
    steps = tuple(
        replace(step, message=step.message[: limits.message_chars]) for step in finding.path[: limits.path_steps]
    )
    return replace(finding, message=visible(finding.message, limits.message_chars), path=steps)


def _chip(report: SubmissionReport) -> Html:
    return tag("span", report.verdict.value.replace("_", " "), class_=f"chip v-{report.verdict.value}")


def _submission(report: SubmissionReport, prefix: str, limits: Limits, *, whole: bool) -> Html:
    source = pane(report, prefix, limits.html, whole=whole)
    evidence = tag("div", tag("section", _findings(report, prefix), class_="findings"), source, class_="split")
    parts = (
        _strip(report),
        evidence,
        _not_established(report),
        _established(report),
        _measured(report),
        _settings(report),
    )
    return tag("article", parts, id=prefix, class_="submission")


def _strip(report: SubmissionReport) -> Html:
    legality, headline = report.legality, report.legality.headline
    classes = ", ".join(legality.classes_active) or "no class established"
    rows = [("folder", report.path), ("eval path", f"{legality.verdict.value} ({classes})")]
    if legality.classes_inactive:
        rows.append(("present, not active", ", ".join(legality.classes_inactive)))
    if headline is not None:
        bpb = "unknown" if headline.bpb is None else f"{headline.bpb:.8g}"
        function = f" from {headline.function}" if headline.function else ""
        line = f", line {headline.line}" if headline.line else ""
        rows.append(("claimed val_bpb", f"{bpb}{function}{line}: {headline.how}"))
    rows.append(("script", f"{report.script or 'none'} ({report.script_reason}); track {report.track}"))
    if report.copy_of is not None:
        rows.append(("byte-identical copy of", report.copy_of))
    rows.append(("content", f"sha256 {report.content_sha256[:16]}"))
    listed = [(tag("dt", name), tag("dd", value)) for name, value in rows]
    title = tag("h1", _chip(report), " ", tag("span", report.name, class_="name"))
    said = tag("p", "Recommendation: ", tag("strong", report.recommendation), ". Decisions are the maintainers'.")
    return tag("div", title, said, tag("dl", listed), class_=f"strip v-{report.verdict.value}")


def _findings(report: SubmissionReport, prefix: str) -> Html:
    if not report.findings:
        return join([tag("h2", "Findings"), tag("p", "None.")])
    rows = [_finding(report, number, judged, prefix) for number, judged in enumerate(report.findings)]
    return join([tag("h2", "Findings"), rows])


def _finding(report: SubmissionReport, number: int, judged: JudgedFinding, prefix: str) -> Html:
    finding = judged.finding
    named = level(finding)
    summary = tag(
        "summary", tag("span", named, class_=f"level lv-{named}"), " ", tag("strong", f"{finding.rule} {finding.slug}"),
        " ", finding.ruling.value, tag("span", " (waived)") if judged.waiver else None,
    )  # fmt: skip
    parts: list[object] = [summary, tag("p", finding.message)]
    if finding.latent is not None:
        parts.append(tag("p", "Not active in this run; enabled by ", tag("code", finding.latent), "."))
    if judged.waiver is not None:
        parts.append(tag("p", f"Waived on {judged.waiver.date}: {judged.waiver.reason}"))
    parts.append(tag("ol", list(_steps(finding, number, prefix)), class_="steps" if finding.path else "steps place"))
    cited = [tag("li", f"{row.source}, {row.date} ({row.status}) {row.summary}") for row in finding.citations]
    parts.append(tag("ul", cited, class_="cited") if cited else None)
    parts.append(tag("p", "fingerprint ", tag("code", judged.fingerprint), class_="meta"))
    return tag("details", parts, open=number == 0, class_="finding", data_finding=number)


def _steps(finding: Finding, number: int, prefix: str) -> Iterator[Html]:
    for step, at in enumerate(finding.path, start=1):
        where = _place(at.span) + (f" in {at.function}" if at.function else "")
        yield _step(prefix, number, step, at.event, where, at.message)
    if not finding.path and finding.location is not None:
        yield _step(prefix, number, 0, _place(finding.location), "", "")


def _step(prefix: str, finding: int, step: int, event: str, where: str, message: str) -> Html:
    target = anchor(prefix, finding, step)
    label = (tag("strong", event), " ", message, tag("small", where) if where else None)
    return tag("li", tag("button", label, type="button", class_="step", data_note=target, data_finding=finding))


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}" + (f" (layer {span.layer})" if span.layer else "")


def _not_established(report: SubmissionReport) -> Html | None:
    rows = [
        tag("li", tag("strong", judged.finding.rule), " ", judged.finding.message)
        for judged in report.findings
        if judged.finding.ruling is Ruling.UNPROVEN
    ]
    return tag("section", tag("h2", "Not established"), tag("ul", rows), class_="unproven") if rows else None


def _established(report: SubmissionReport) -> Html:
    rows = [tag("li", tag("strong", said.rule), " ", said.established) for said in report.passes]
    listed = tag("ul", rows) if rows else tag("p", "Nothing was established in this submission's favour.")
    return tag("section", tag("h2", "Established"), listed)


def _measured(report: SubmissionReport) -> Html | None:
    seeds = report.evidence.seeds
    if not seeds:
        return tag("section", tag("h2", "Runs"), tag("p", "No run was read from the logs."))
    cap = report.facts.get("size", {}).get("cap")
    bar = ledger(seeds, float(cap)) if isinstance(cap, (int, float)) else None
    curve = curves(report.evidence.logs)
    pictures = [tag("figure", picture) for picture in (bar, curve) if picture is not None]
    return tag("section", tag("h2", "Runs"), _seed_table(seeds), tag("div", pictures, class_="figures"))


def _seed_table(seeds: Sequence[SeedRow]) -> Html:
    head = tag("tr", [tag("th", name, scope="col") for name in HEADER])
    rows = [
        tag("tr", tag("th", cells[0], scope="row"), [tag("td", cell) for cell in cells[1:]])
        for cells in evidence_cells(seeds)
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="scroll", tabindex=0)


def _settings(report: SubmissionReport) -> Html | None:
    declared = report.facts.get("config", {}).get("declared", {})
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", str(entry["value"])), tag("td", str(entry["from"])))
        for name, entry in declared.items()
    ]
    if not rows:
        return None
    table = tag("div", tag("table", tag("tbody", rows)), class_="scroll", tabindex=0)
    return tag("details", tag("summary", f"Settings of the run ({len(rows)})"), table)


def _comment(report: AuditReport, limits: Limits) -> Html:
    text = render_markdown(report, limits)
    area = tag(
        "textarea", _lines(text), readonly=True, rows=8, aria_label="Review comment in Markdown", class_="comment"
    )
    button = tag("button", "Copy the review comment", type="button", class_="copy")
    return tag("section", tag("h2", "Review comment"), button, tag("span", "", class_="copied", role="status"), area)


def _lines(text: str) -> Html:
    """Return the comment for a text area: visible text already (the word joiners are ours), so only escaped."""
    return Html("\n" + html.escape(text, quote=True))
