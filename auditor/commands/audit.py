"""`pgolf audit`: judge every submission of a directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.exit_codes import exit_code

if TYPE_CHECKING:
    from auditor.model.report import AuditReport
    from auditor.usecases.audit import AuditOptions
    from auditor.usecases.prove import ProveOptions

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
    edition: Annotated[str | None, typer.Option(help="Rules of a date, or a file's (.toml).")] = None,
    script: Annotated[str | None, typer.Option(help="The script, where the guess is wrong.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to this file.")] = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="Audit what was added since this commit.")] = None,
    target_python: Annotated[str | None, typer.Option(metavar="V", help="Python that must parse the script.")] = None,
    git: Annotated[
        str | None, typer.Option(metavar="REPO", help="With --pr: a checkout, bare snapshot or https URL.")
    ] = None,
    pr: Annotated[int | None, typer.Option(metavar="N", min=1, help="With --git: the pull request's number.")] = None,
    waivers: Annotated[Path | None, typer.Option(metavar="FILE", help="A reviewer's waivers (TOML or JSON).")] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Run each in miniature too, in a sandbox (needs torch).")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Load each script once too, in a sandbox (needs torch).")
    ] = False,
) -> None:
    from auditor.report.emit import emit
    from auditor.report.formats import Format
    from auditor.usecases.audit import AuditOptions
    from auditor.usecases.smoke import SmokeOptions
    from auditor.waivers import read_waivers

    _known(format_, _FORMATS, "--format")
    _known(target_python, _PYTHONS, "--target-python")
    kept = () if waivers is None else read_waivers(waivers, pr_dir)
    options = AuditOptions(edition=edition, script=script, base=base, target_python=target_python, waivers=kept)
    if prove:
        options = replace(options, prove=_prove_options(edition, script))
    if smoke:
        options = replace(options, smoke=SmokeOptions())
    report = _report(pr_dir, git, pr, options)
    chosen = Format(format_)
    emit(report, chosen, output)
    if chosen is not Format.SARIF:
        raise typer.Exit(exit_code(submission.verdict for submission in report.submissions))


def _prove_options(edition: str | None, script: str | None) -> ProveOptions:
    """Raise ProverUnavailable, naming the extra, before anything is read."""
    from auditor.usecases.prove import ProveOptions, require_torch

    require_torch()
    return ProveOptions(edition=edition, script=script, progress=lambda text: typer.echo(f"  {text}", err=True))


def _known(value: str | None, known: tuple[str, ...], option: str) -> None:
    if value is not None and value not in known:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}", param_hint=option)


def _report(pr_dir: Path | None, git: str | None, pr: int | None, options: AuditOptions) -> AuditReport:
    """Audit a directory, or a pull request where both a repository and a number are given."""
    from auditor.usecases.audit import audit, audit_pull

    if git is not None and pr is not None and pr_dir is None:
        return audit_pull(git, pr, options)
    if pr_dir is None or git is not None or pr is not None:
        raise typer.BadParameter("give PR_DIR, or both --git and --pr", param_hint="PR_DIR")
    if not pr_dir.is_dir():
        raise typer.BadParameter(f"{pr_dir} is not a directory", param_hint="PR_DIR")
    return audit(pr_dir, options)
