"""`pgolf logs`: the facts of training logs alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_FORMATS = ("text", "json")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("logs", help="Print what training logs say: times, sizes, metrics, seeds, and what does not fit.")(
        _logs
    )


def _logs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Log files of any trainer family.")],
    format_: Annotated[str, typer.Option("--format", "-f", help=f"One of: {', '.join(_FORMATS)}.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the facts to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="OUT.png", help="Draw the loss curves (extra: plot).")] = None,
) -> None:
    from auditor.report.emit import print_utf8, write
    from auditor.report.log_facts import render_json, render_text
    from auditor.usecases.readlogs import read_log_files

    if format_ not in _FORMATS:
        raise typer.BadParameter(f"{format_!r} is not one of {', '.join(_FORMATS)}", param_hint="--format")
    reports = read_log_files(files)
    text = render_json(reports) if format_ == "json" else render_text(reports)
    if output is not None:
        write(output, text)
    else:
        print_utf8(text)
    if plot is not None:
        from auditor.report.loss_plot import draw

        draw(reports, plot)
