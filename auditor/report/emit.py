"""Hand a rendered report to its reader: a file, a pipe or a terminal. The only writer of the audit command."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path

from auditor.errors import PgolfError
from auditor.model.report import AuditReport
from auditor.report.formats import Format, render

_PIPE_WIDTH = 120
"""Columns of a text report that no terminal reads: fixed, so that two runs give the same bytes."""


def emit(report: AuditReport, chosen: Format, output: Path | None) -> None:
    """Write the report to `output`, else to standard output (text in the terminal's width and colours)."""
    if output is not None:
        write(output, render(report, chosen))
    elif chosen is Format.TEXT and sys.stdout.isatty():
        from auditor.report.text import render as render_text

        color = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        print_utf8(render_text(report, width=shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns, color=color))
    elif chosen is Format.TEXT and os.environ.get("GITHUB_ACTIONS") == "true":
        print_utf8(_inert(render(report, chosen)))
    else:
        print_utf8(render(report, chosen))


def _inert(text: str) -> str:
    """Keep the runner of a GitHub job from reading commands out of a text report, which quotes submissions."""
    token = secrets.token_hex(16)
    return f"::stop-commands::{token}\n{text}::{token}::\n"


def write(output: Path, text: str) -> None:
    """Write a report file as UTF-8. Raises PgolfError where that is not possible."""
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise PgolfError(f"cannot write {output}: {error.strerror}") from error


def print_utf8(text: str) -> None:
    """Print as UTF-8 whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
