"""`pgolf audit`: judge every submission of a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auditor.exit_codes import exit_code

_FORMATS = ("text", "json", "sarif", "github", "markdown", "html", "junit")
_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", help="Judge every submission below a directory and show the evidence.")(_audit)


def _audit(
    pr_dir: Annotated[
        Path | None, typer.Argument(metavar="[PR_DIR]", help="A submission folder, or a directory of some.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", "-f", help=f"One of: {', '.join(_FORMATS)}.")] = "text",
    edition: Annotated[str | None, typer.Option(help="Rules of a date (default: the newest).")] = None,
    script: Annotated[str | None, typer.Option(help="The script, where the guess is wrong.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to this file.")] = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="Audit what was added since this commit.")] = None,
    target_python: Annotated[str | None, typer.Option(metavar="V", help="Python that must parse the script.")] = None,
    git: Annotated[
        str | None, typer.Option(metavar="REPO", help="With --pr: a checkout, bare snapshot or https URL.")
    ] = None,
    pr: Annotated[int | None, typer.Option(metavar="N", min=1, help="With --git: the pull request's number.")] = None,
    waivers: Annotated[Path | None, typer.Option(metavar="FILE", help="A reviewer's waivers (TOML or JSON).")] = None,
) -> None:
    from auditor.report.emit import emit
    from auditor.report.formats import Format
    from auditor.usecases.audit import AuditOptions, audit, audit_pull
    from auditor.waivers import read_waivers

    if format_ not in _FORMATS:
        raise typer.BadParameter(f"{format_!r} is not one of {', '.join(_FORMATS)}", param_hint="--format")
    if target_python is not None and target_python not in _PYTHONS:
        raise typer.BadParameter(f"known versions: {', '.join(_PYTHONS)}", param_hint="--target-python")
    options = AuditOptions(
        edition=edition,
        script=script,
        base=base,
        target_python=target_python,
        waivers=() if waivers is None else read_waivers(waivers, pr_dir),
    )
    if git is not None and pr is not None and pr_dir is None:
        report = audit_pull(git, pr, options)
    elif pr_dir is None or git is not None or pr is not None:
        raise typer.BadParameter("give PR_DIR, or both --git and --pr", param_hint="PR_DIR")
    elif not pr_dir.is_dir():
        raise typer.BadParameter(f"{pr_dir} is not a directory", param_hint="PR_DIR")
    else:
        report = audit(pr_dir, options)
    chosen = Format(format_)
    emit(report, chosen, output)
    if chosen is not Format.SARIF:
        raise typer.Exit(exit_code(submission.verdict for submission in report.submissions))
