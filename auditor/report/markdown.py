"""The review comment, in the shape that reviewers of the contest already use.

Head, what was found with lines, what was established, verdict, recommendation, how to dispute. It never speaks for a
maintainer and mentions nobody. Sections are written whole or left out whole, so that a cut comment stays readable; the
verdicts come first and how to dispute comes last in every comment, however many findings there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.model.finding import Finding, PathStep
from auditor.model.report import AuditReport, JudgedFinding, SubmissionReport
from auditor.model.source import Span
from auditor.report.json import level
from auditor.report.visible import visible

MARKER = "<!-- pgolf-review -->"
"""First line of a comment: a workflow that comments again finds and updates its own by it."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_BLOCK_START = re.compile(r"^(\s*\d+(?=[.)](?:\s|$))|\s*(?=[-+=]))(.)")
_ATTENTION = re.compile(r"[@#](?=\w)|\bGH-(?=\d)|\b(?:https?|ftp)(?=://)|\bwww(?=\.)", re.IGNORECASE)


def render(report: AuditReport, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the comment for all submissions of a report, at most `limits.github.comment_chars` characters."""
    parts = [MARKER, *_verdicts(report, limits), *sections(report, limits)]
    return fit(parts, limits.github.comment_chars, closing(report))


def _verdicts(report: AuditReport, limits: Limits) -> Iterator[str]:
    """Yield one line per submission where there are several."""
    if len(report.submissions) > 1:
        wide = limits.report.source_line_chars
        yield "\n".join(f"- {code(one.path, wide)}: **{one.verdict.value}**" for one in report.submissions) + "\n"


def fit(parts: Iterable[str], budget: int, last: str) -> str:
    """Join sections while they fit; what is left out is counted before `last`, which always stands.

    The first that does not fit ends the text, but for one that is larger than half of it: that one alone is missing.
    """
    room = budget - 200 - len(last)
    taken: list[str] = []
    left_out, full = 0, False
    for part in parts:
        large = len(part) > budget // 2
        full = full or (len(part) >= room and not large)
        if full or large:
            left_out += 1
        else:
            taken.append(part)
            room -= len(part) + 1
    if left_out:
        taken.append(f"\n_{left_out} further sections do not fit here; the JSON and HTML reports hold them._")
    return "\n".join([*taken, last]).rstrip("\n") + "\n"


def sections(report: AuditReport, limits: Limits = DEFAULT_LIMITS) -> Iterator[str]:
    """Yield the comment section by section, each a block of whole lines, the most important first."""
    writer = _Writer(limits)
    yield from writer.opening(report)
    for submission in report.submissions:
        yield writer.summary(submission, report.head)
        for judged in sorted(
            submission.findings, key=lambda one: ("error", "warning", "note").index(level(one.finding))
        ):
            yield writer.finding(submission, judged)
        yield writer.established(submission)
        yield writer.runs(submission)


def closing(report: AuditReport) -> str:
    """Return the last section: what made the comment, and how to dispute it."""
    version, edition = prose(report.version), prose(report.edition)
    return (
        f"---\nMade by pgolf {version} under the rules of edition {edition}. It read code and logs and ran "
        "nothing. It can be wrong: to dispute a finding, name its fingerprint and the line that shows otherwise, "
        "and a person looks again. Decisions are the maintainers'.\n"
    )


def prose(text: str, limit: int | None = None) -> str:
    """Return text that Markdown shows as it is: no markup, no HTML, no mention, no issue link."""
    return _BLOCK_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", _quiet(visible(text, limit))))


def code(text: str, limit: int | None = None) -> str:
    """Return text as a code span whose fence is longer than any run of backticks in it."""
    shown = visible(text, limit) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") or fence != "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _quiet(text: str) -> str:
    """Break what would notify a person, link an issue or become a link, with a word joiner of our own."""
    return _ATTENTION.sub(lambda found: f"{found.group(0)}\u2060", text)


class _Writer:
    def __init__(self, limits: Limits) -> None:
        self._report = limits.report
        self._message = limits.report.message_chars
        self._line = limits.report.source_line_chars

    def opening(self, report: AuditReport) -> Iterator[str]:
        if not report.submissions:
            yield "No submission was found here: nothing looks like a record folder.\n"
        shown = report.problems[: self._report.problems]
        lines = [f"- {code(problem.path, self._line)}: {prose(problem.message, self._message)}" for problem in shown]
        if len(report.problems) > len(shown):
            lines.append(f"- {len(report.problems) - len(shown):,} further such remarks are in the JSON report")
        lines += [
            f"- stale waiver {code(one.fingerprint)}: {prose(one.reason, self._message)}"
            for one in report.stale_waivers[: self._report.problems]
        ]
        if lines:
            yield "\n".join(lines) + "\n"

    def summary(self, report: SubmissionReport, head: str | None) -> str:
        legality = report.legality
        lines = [f"## Audit of {code(report.path)}\n"]
        lines.append(f"**{report.verdict.value}**. Recommendation: {report.recommendation}.\n")
        classes = ", ".join(legality.classes_active) or "no class established"
        lines.append(f"- Eval path: **{legality.verdict.value}** ({classes})")
        if legality.classes_inactive:
            lines.append(f"- Present but not active in this run: {', '.join(legality.classes_inactive)}")
        if legality.headline is not None:
            lines.append(self._headline(report))
        script = "none" if report.script is None else code(report.script)
        at = "" if head is None else f" at head {code(head)}"
        lines.append(f"- Script: {script}{at}; content {code(report.content_sha256[:16])}")
        if report.copy_of is not None:
            lines.append(f"- Byte-identical copy of {code(report.copy_of)}")
        return "\n".join(lines) + "\n"

    def _headline(self, report: SubmissionReport) -> str:
        headline = report.legality.headline
        assert headline is not None
        bpb = "unknown" if headline.bpb is None else f"{headline.bpb:.8g}"
        function = "" if headline.function is None else f" from {code(headline.function)}"
        line = "" if headline.line is None else f", line {headline.line}"
        return f"- Claimed val\\_bpb **{bpb}**{function}{line}: {prose(headline.how, self._message)}"

    def finding(self, report: SubmissionReport, judged: JudgedFinding) -> str:
        finding = judged.finding
        place = "" if finding.location is None else f" at {_place(finding.location)}"
        lines = [f"### {finding.rule} {prose(finding.slug)}: {finding.ruling.value} ({level(finding)}){place}\n"]
        lines.append(prose(finding.message, self._message) + "\n")
        if finding.latent is not None:
            lines.append(f"Not active in this run; enabled by {code(finding.latent)}.\n")
        if judged.waiver is not None:
            lines.append(f"Waived on {prose(judged.waiver.date)}: {prose(judged.waiver.reason, self._message)}\n")
        lines += self._path(report, finding)
        cited = "; ".join(f"{prose(row.source)}, {prose(row.date)} ({prose(row.status)})" for row in finding.citations)
        lines.append((f"Rulings: {cited}. " if cited else "") + f"Fingerprint {code(judged.fingerprint)}.")
        return "\n".join(lines) + "\n"

    def _path(self, report: SubmissionReport, finding: Finding) -> Iterator[str]:
        for number, step in enumerate(finding.path[: self._report.path_steps], start=1):
            yield self._step(report, number, step)
        if len(finding.path) > self._report.path_steps:
            yield f"{self._report.path_steps + 1}. ({len(finding.path) - self._report.path_steps} more steps)"
        if finding.path:
            yield ""

    def _step(self, report: SubmissionReport, number: int, step: PathStep) -> str:
        line = report.source_line(step.span)
        quoted = (
            "" if line is None or not line.strip() else f"\n   {code(line.strip(), self._report.source_line_chars)}"
        )
        where = _place(step.span) + (f" in {code(step.function)}" if step.function else "")
        return f"{number}. {prose(step.event)}, {where}: {prose(step.message, self._message)}{quoted}"

    def established(self, report: SubmissionReport) -> str:
        if not report.passes:
            return "### Established\n\nNothing was established in this submission's favour.\n"
        rows = [f"- {said.rule}: {prose(said.established, self._message)}" for said in report.passes]
        return "### Established\n\n" + "\n".join(rows) + "\n"

    def runs(self, report: SubmissionReport) -> str:
        timing = {row.get("seed"): row for row in report.facts.get("timing", {}).get("per_seed", ())}
        sizes = report.facts.get("size", {}).get("per_seed", ())
        seeds = list(dict.fromkeys([*timing, *(row.get("seed") for row in sizes)]))
        if not seeds:
            return "### Runs\n\nNo run was read from the logs.\n"
        by_size = {row.get("seed"): row for row in sizes}
        lines = ["### Runs\n", "| seed | train s | calibration s | eval s | total bytes |", "|---|---|---|---|---|"]
        for seed in seeds:
            cells = [timing.get(seed, {}).get(key) for key in ("train_s", "gptq_s", "eval_s")]
            total = by_size.get(seed, {}).get("total_bytes")
            lines.append("| " + " | ".join(prose(_cell(value)) for value in (seed, *cells, total)) + " |")
        return "\n".join(lines) + "\n"


def _place(span: Span) -> str:
    layer = f" (decoded layer {span.layer})" if span.layer else ""
    return f"{code(f'{span.file}:{span.line}')}{layer}"


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "?" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value:g}"
