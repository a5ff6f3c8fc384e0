"""`pgolf explain`: one finding at length, with its rule's card and the rulings it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", help="Show one finding at length, with its rule's card and rulings.")(_explain)


def _explain(
    source: Annotated[Path, typer.Argument(metavar="REPORT.json|PR_DIR", help="A JSON report, or what to audit.")],
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="Fingerprint (its start will do) or rule id.")],
    edition: Annotated[
        str | None,
        typer.Option(help="Rules of a date, or a file's (.toml)."),
    ] = None,
) -> None:
    from auditor.report.card import render_card
    from auditor.report.emit import print_utf8
    from auditor.report.load import read_report
    from auditor.report.text import render_findings
    from auditor.rules.data import cards
    from auditor.rules.data import edition as load_edition
    from auditor.usecases.audit import AuditOptions, audit

    if source.is_file():
        report = read_report(source.read_bytes())
    elif source.is_dir():
        report = audit(source, AuditOptions(edition=edition))
    else:
        raise typer.BadParameter(f"{source} is neither a report nor a directory", param_hint="REPORT.json|PR_DIR")
    wanted = finding.lower()
    picked = [
        (submission, judged)
        for submission in report.submissions
        for judged in submission.findings
        if judged.fingerprint.startswith(wanted) or judged.finding.rule.lower() == wanted
    ]
    if not picked:
        raise typer.BadParameter(f"no finding {finding!r} in {source}", param_hint="FINDING")
    print_utf8(render_findings(picked))
    for rule in dict.fromkeys(judged.finding.rule for _, judged in picked):
        if rule in cards():
            print_utf8("\n" + render_card(cards()[rule], load_edition(edition or report.edition)))
