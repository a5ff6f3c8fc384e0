"""The console script: gathers the commands and turns what goes wrong into an exit code and one sentence.

It must stay cheap to import (`pgolf --help` answers in under 0.3 s), so commands import their use cases inside.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from typing import Any

import typer
from typer.core import TyperGroup

import auditor.commands
from auditor import __version__
from auditor.errors import IntakeError, PgolfError
from auditor.exit_codes import ExitCode


class _Boundary(TyperGroup):
    """The outermost boundary of the process: no command ends in a traceback unless PGOLF_DEBUG asks for it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except IntakeError as error:
            _complain(str(error))
            raise typer.Exit(ExitCode.NOTHING) from error
        except PgolfError as error:
            _complain(str(error))
            raise typer.Exit(ExitCode.USAGE) from error
        except Exception as error:
            if os.environ.get("PGOLF_DEBUG") or _is_control_flow(error):
                raise
            _complain(f"internal error: {type(error).__name__}: {error} (set PGOLF_DEBUG=1 for the traceback)")
            raise typer.Exit(ExitCode.INTERNAL) from error


def _is_control_flow(error: BaseException) -> bool:
    """Tell what typer raises and handles itself (all but Abort carry an exit code) and a closed pipe from defects."""
    return hasattr(error, "exit_code") or isinstance(error, (typer.Abort, BrokenPipeError))


def _complain(message: str) -> None:
    from auditor.report.visible import visible

    typer.echo(f"pgolf: {visible(message)}", err=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pgolf {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="pgolf",
    cls=_Boundary,
    help="Audit, pack and smoke-test submissions to the Parameter Golf contest.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Audit, pack and smoke-test submissions to the Parameter Golf contest."""


for _info in sorted(pkgutil.iter_modules(auditor.commands.__path__), key=lambda item: item.name):
    importlib.import_module(f"auditor.commands.{_info.name}").register(app)
