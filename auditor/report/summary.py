"""What a job leaves for GitHub: the step summary (Markdown, 1 MiB at most) and the step's outputs."""

from __future__ import annotations

from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.model.report import AuditReport
from auditor.model.verdict import Verdict
from auditor.report.markdown import closing, code, fit, sections


def render_summary(report: AuditReport, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the summary: a table of verdicts, then the sections of the review comment while they fit."""
    rows = [
        f"| {code(one.path).replace('|', '&#124;')} | {one.verdict.value} | {one.legality.verdict.value} |"
        for one in report.submissions
    ]
    table = "\n".join(["# pgolf gate\n", "| submission | verdict | eval path |", "|---|---|---|", *rows]) + "\n"
    # A character takes up to four bytes: counting them so keeps the cap without cutting inside one.
    return fit([table, *sections(report, limits)], limits.github.summary_bytes // 4, closing(report))


def render_outputs(report: AuditReport, result: str) -> str:
    """Return step outputs, one `name=value` per line: values are words and numbers of ours, never submission text.

    Of several submissions a flag is the worst, as for the exit code; what cannot be read does not hide it.
    """
    order = [*(verdict for verdict in Verdict if verdict is not Verdict.COMPLIANCE_FLAG), Verdict.COMPLIANCE_FLAG]
    worst = max((one.verdict for one in report.submissions), key=order.index, default=None)
    verdict = "NONE" if worst is None else worst.value
    return f"verdict={verdict}\nresult={result}\nsubmissions={len(report.submissions)}\n"
