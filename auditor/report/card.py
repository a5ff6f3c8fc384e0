"""Rule cards as text: they are Markdown written to be read as it stands, so they are printed, not rendered."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.rules.data import Card, Edition


def render_list(cards: Iterable[Card], edition: Edition) -> str:
    """Return one line per rule: id, effect under the edition, slug and title."""
    rows = []
    for card in cards:
        rows.append(f"{card.id}  {_effect(card, edition):<12}  {card.slug:<28}  {card.title}")
    return "\n".join(rows) + "\n"


def render_card(card: Card, edition: Edition) -> str:
    """Return a card whole: title, effect, classes with their standing, rulings, and its text."""
    lines = [f"{card.id} {card.slug}: {card.title}", f"edition {edition.name}: {_effect(card, edition)}"]
    lines += [f"class {name}: {edition.standing.get(name, 'no standing')}" for name in card.classes]
    for ruling in card.citations:
        summary = f": {ruling.summary}" if ruling.summary else ""
        lines.append(f"ruling: {ruling.source}, {ruling.date} ({ruling.status}){summary}")
    return "\n".join(lines) + "\n\n" + card.body


def _effect(card: Card, edition: Edition) -> str:
    effect = edition.effects.get(card.id)
    return "not in force" if effect is None else effect.value
