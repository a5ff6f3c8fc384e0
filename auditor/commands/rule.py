"""`pgolf rule`: print a rule card, or the list of the rules."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rule", help="Print a rule's card, or list the rules.")(_rule)


def _rule(
    rule: Annotated[str | None, typer.Argument(metavar="[PGnnn]", help="A rule's id or slug; all without it.")] = None,
    edition: Annotated[str | None, typer.Option(help="Show effects under this edition, or a file's (.toml).")] = None,
) -> None:
    from auditor.report.card import render_card, render_list
    from auditor.report.emit import print_utf8
    from auditor.rules.data import cards
    from auditor.rules.data import edition as load_edition

    rules, chosen = cards(), load_edition(edition)
    if rule is None:
        print_utf8(render_list(rules.values(), chosen))
        return
    wanted = rule.upper()
    card = rules.get(wanted) or next((one for one in rules.values() if one.slug == rule), None)
    if card is None:
        raise typer.BadParameter(f"no rule {rule!r}; `pgolf rule` lists them", param_hint="PGnnn")
    print_utf8(render_card(card, chosen))
