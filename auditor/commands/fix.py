"""`pgolf fix`: mechanical repairs for older interpreters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fix", help="Requote f-strings that need Python 3.12; the diff is shown.")(_fix)


def _fix(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--diff", help="Show the diff and write nothing.")] = False,
) -> None:
    from auditor.errors import PgolfError
    from auditor.usecases.pack import fix, write_whole

    try:
        fixed = fix(script)
        if fixed.diff and fixed.layer == 0 and not dry_run:
            write_whole(script, fixed.raw)
    except (PgolfError, OSError) as error:
        typer.echo(f"pgolf fix: {error}", err=True)
        raise typer.Exit(4) from error
    typer.echo(fixed.diff, nl=False)
    if fixed.left:
        typer.echo(f"{fixed.left} places have no mechanical repair", err=True)
    if fixed.diff and fixed.layer:
        typer.echo(f"these lines are inside the shim: `pgolf pack {script} -o {script}` applies them", err=True)
    if fixed.left or (fixed.diff and (fixed.layer or dry_run)):
        raise typer.Exit(1)
