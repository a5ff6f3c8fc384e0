"""`pgolf gate` and `pgolf comment`: what a CI job runs on a pull request, and what comments on it afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditor.model.report import AuditReport


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("gate", help="Audit what a pull request adds, for CI: annotations, a job summary, an exit code.")(_gate)
    app.command("comment", help="Turn a JSON report, checked against its schema, into a Markdown comment.")(_comment)


def _gate(
    pr_dir: Annotated[Path, typer.Argument(metavar="PR_DIR", help="A git checkout of the pull request's head.")],
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="Commit to compare with (default: the event's).")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help="flag: fail on compliance flags; review: on anything but clean.")
    ] = "flag",
    edition: Annotated[str | None, typer.Option(help="Rules of a date, or a file's (.toml).")] = None,
    waivers: Annotated[Path | None, typer.Option(metavar="FILE", help="A reviewer's waivers (TOML or JSON).")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the JSON report here.")
    ] = None,
    sarif_file: Annotated[Path | None, typer.Option("--sarif", metavar="FILE", help="Write SARIF here.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the HTML report here.")
    ] = None,
) -> None:
    from auditor.report.emit import write
    from auditor.report.formats import Format, render
    from auditor.usecases.audit import AuditOptions
    from auditor.usecases.gate import FailOn, gate, gate_exit
    from auditor.waivers import read_waivers

    if fail_on not in ("flag", "review"):
        raise typer.BadParameter("flag or review", param_hint="--fail-on")
    if not pr_dir.is_dir():
        raise typer.BadParameter(f"{pr_dir} is not a directory", param_hint="PR_DIR")
    kept = () if waivers is None else read_waivers(waivers, pr_dir)
    report = gate(pr_dir, base or _event_base(), AuditOptions(edition=edition, waivers=kept))
    for file, chosen in ((json_file, Format.JSON), (sarif_file, Format.SARIF), (html_file, Format.HTML)):
        if file is not None:
            write(file, render(report.audit, chosen))
    code = gate_exit(report, FailOn(fail_on))
    _show(report.audit, code.name)
    raise typer.Exit(code)


def _comment(
    report: Annotated[Path, typer.Argument(metavar="REPORT.json", help="What `pgolf gate --json` wrote.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the comment to this file.")] = None,
    head: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="Refuse a report of another commit than this.")
    ] = None,
) -> None:
    from auditor.errors import PgolfError
    from auditor.report.emit import print_utf8, write
    from auditor.report.load import read_report
    from auditor.report.markdown import render

    try:
        data = report.read_bytes()
    except OSError as error:
        raise PgolfError(f"{report}: {error.strerror}") from error
    read = read_report(data)
    if head is not None and read.head != head:
        raise PgolfError(f"{report}: made of another commit than {head}")
    text = render(read)
    if output is None:
        print_utf8(text)
    else:
        write(output, text)


def _event_base() -> str:
    """Return the base commit of the pull request that GitHub's event file describes."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        raise typer.BadParameter("needed where GITHUB_EVENT_PATH is not set", param_hint="--base")
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8"))
        return str(event["pull_request"]["base"]["sha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise typer.BadParameter("the event file describes no pull request", param_hint="--base") from error


def _show(report: AuditReport, result: str) -> None:
    """Print annotations under GitHub Actions, else the text report; append the summary and outputs."""
    from auditor.report.emit import emit, print_utf8
    from auditor.report.formats import Format
    from auditor.report.github import render
    from auditor.report.summary import render_outputs, render_summary

    if os.environ.get("GITHUB_ACTIONS") == "true":
        print_utf8(render(report))
    else:
        emit(report, Format.TEXT, None)
    appended = {"GITHUB_STEP_SUMMARY": render_summary(report), "GITHUB_OUTPUT": render_outputs(report, result)}
    for variable, text in appended.items():
        path = os.environ.get(variable)
        if path:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
