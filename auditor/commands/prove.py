"""`pgolf prove`: run a script in miniature, in a sandbox, and test what it does by changing tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_FORMATS = ("text", "json")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prove", help="Run a script in miniature, in a sandbox, and test its scoring by changing tokens.")(
        _prove
    )


def _prove(
    path: Annotated[Path, typer.Argument(metavar="SUBMISSION|SCRIPT", help="A submission folder, or a script.")],
    conditions: Annotated[str, typer.Option(metavar="LIST", help="Of c1, c2, c3, c4.")] = "c1,c2,c3,c4",
    seeds: Annotated[int, typer.Option(min=1, max=2, help="2: a violation must show on a second seed.")] = 2,
    budget: Annotated[float | None, typer.Option(metavar="S", help="Seconds per submission (default: 120).")] = None,
    format_: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep harness and data of every run here.")] = None,
    script: Annotated[str | None, typer.Option(help="The script, where the guess is wrong.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A run setting; may be repeated.")
    ] = None,
) -> None:
    from auditor.report.emit import print_utf8
    from auditor.report.proof import render_json, render_text
    from auditor.usecases.prove import ProveOptions, exit_code_of, prove_path

    wanted = frozenset(word.strip().lower() for word in conditions.split(","))
    if not wanted or not wanted <= {"c1", "c2", "c3", "c4"}:
        raise typer.BadParameter(f"{conditions!r} names others than c1, c2, c3, c4", param_hint="--conditions")
    if format_ not in _FORMATS:
        raise typer.BadParameter(f"{format_!r} is not one of {', '.join(_FORMATS)}", param_hint="--format")
    if not path.exists():
        raise typer.BadParameter(f"{path} does not exist", param_hint="SUBMISSION|SCRIPT")
    if budget is not None and not 10 <= budget <= 3600:
        raise typer.BadParameter("between 10 and 3600 seconds", param_hint="--budget")
    pairs = [text.partition("=") for text in set_ or []]
    if any(not name or not sign for name, sign, _ in pairs):
        raise typer.BadParameter("write NAME=VALUE", param_hint="--set")
    options = ProveOptions(
        conditions=wanted,
        seeds=seeds,
        budget=budget,
        script=script,
        keep=keep,
        environment={name: value for name, _, value in pairs},
        progress=lambda text: typer.echo(f"  {text}", err=True),
    )
    proved = prove_path(path, options)
    print_utf8(render_json(proved) if format_ == "json" else render_text(proved))
    raise typer.Exit(exit_code_of(proved))
