"""`pgolf smoke`: does a script load on a CPU? Runs it in a sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_LEVELS = ("parse", "import", "model", "forward")
_FORMATS = ("text", "json")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("smoke", help="Load a script on a CPU, in a sandbox, and say how far it came.")(_smoke)


def _smoke(
    path: Annotated[Path, typer.Argument(metavar="SUBMISSION|SCRIPT", help="A submission folder, or a script.")],
    python: Annotated[str | None, typer.Option(metavar="PATH", help="Interpreter with torch (default: ours).")] = None,
    level: Annotated[str, typer.Option(help=f"How far to go: {', '.join(_LEVELS)}.")] = "import",
    format_: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Seconds per run (default: 120).")] = None,
    script: Annotated[str | None, typer.Option(help="The script, where the guess is wrong.")] = None,
    unsafe_no_sandbox: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Run unconfined where this machine has no sandbox.")
    ] = False,
) -> None:
    from auditor.exit_codes import ExitCode
    from auditor.model.smoke import SmokeLevel, SmokeOutcome
    from auditor.report.emit import print_utf8
    from auditor.report.smoke import render_json, render_text
    from auditor.usecases.smoke import SmokeOptions, smoke

    if level not in _LEVELS:
        raise typer.BadParameter(f"{level!r} is not one of {', '.join(_LEVELS)}", param_hint="--level")
    if format_ not in _FORMATS:
        raise typer.BadParameter(f"{format_!r} is not one of {', '.join(_FORMATS)}", param_hint="--format")
    if not path.exists():
        raise typer.BadParameter(f"{path} does not exist", param_hint="SUBMISSION|SCRIPT")
    if timeout is not None and not 1 <= timeout <= 3600:
        raise typer.BadParameter("between 1 and 3600 seconds", param_hint="--timeout")
    options = SmokeOptions(SmokeLevel[level.upper()], python, timeout, script, unsafe_no_sandbox)
    reports = smoke(path, options)
    print_utf8(render_json(reports) if format_ == "json" else render_text(reports))
    outcomes = {report.judgement.outcome for report in reports}
    if not reports:
        raise typer.Exit(ExitCode.NOTHING)
    if SmokeOutcome.FAIL in outcomes:
        raise typer.Exit(ExitCode.FLAG)
    raise typer.Exit(ExitCode.REVIEW if SmokeOutcome.INCONCLUSIVE in outcomes else ExitCode.CLEAN)
