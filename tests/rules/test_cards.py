"""Cards, editions, rule modules and fixtures have to agree with each other; nothing else checks the data side."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import auditor.rules
from auditor.rules.data import Card, cards, edition, edition_names

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEADINGS = (
    "## What it does",
    "## Why",
    "## How it is established",
    "## Near misses",
    "## Rulings",
    "## How to dispute",
)
STATUSES = {"settled", "consensus", "disputed"}
STANDINGS = {"legal", "illegal", "disputed"}
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
CLASSES = [
    "plain-eval",
    "score-first-ttt",
    "normalized-ngram",
    "prequant-val-ttt",
    "multi-epoch-last-score",
    "two-pass-rescore",
    "train-on-val",
    "val-calibrated-gptq",
    "target-keyed-ngram",
    "unnormalized-mix",
    "target-gated-hint",
    "oracle-selection",
    "look-ahead",
    "slot-scored-region",
    "byte-miscount",
    "dropped-nll",
    "not-the-artifact",
    "causal-slot",
    "etlb",
    "ppm-byte-mixture",
    "ttt-warmup-on-val",
    "partial-val-coverage",
    "lossy-text",
]

every_card = pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.id)
every_edition = pytest.mark.parametrize("name", edition_names())


def rule_modules() -> list[str]:
    folder = Path(auditor.rules.__path__[0])
    return sorted(f"PG{path.name[2:5]}" for path in folder.glob("pg[0-9][0-9][0-9]_*.py"))


def fixture_rules(kind: str) -> set[str]:
    found: set[str] = set()
    for path in (FIXTURES / kind).glob("*/expect.toml"):
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["submission"]:
            found.update(row.get("rules", ()) if kind == "violating" else row.get("rules_absent", ()))
    return found


def edited_kinds(rule: str) -> set[str]:
    """Return the kinds of cases that a rule's file of edited records holds."""
    found: set[str] = set()
    for path in (FIXTURES / "edited").glob(f"{rule}-*.toml"):
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        found.update(kind for kind, rows in raw.items() if isinstance(rows, list) and rows)
    return found


def test_every_rule_module_has_a_card() -> None:
    """A rule without a card could not say why it speaks."""
    assert set(rule_modules()) <= set(cards())


@every_card
def test_a_card_has_the_fixed_headings_in_order(card: Card) -> None:
    """Readers find the same six headings on every card, each with text below it."""
    assert tuple(re.findall(r"^## .+$", card.body, re.MULTILINE)) == HEADINGS
    sections = re.split(r"^## .+$", card.body, flags=re.MULTILINE)[1:]
    assert all(section.strip() for section in sections)


@every_card
def test_a_card_file_is_named_after_its_id_and_slug(card: Card) -> None:
    """The file name says which rule it holds."""
    files = [path.name for path in (FIXTURES.parent / "rules").glob(f"{card.id}*.md")]
    assert len(files) == 1
    assert files[0] in {f"{card.id}.md", f"{card.id}-{card.slug}.md"}


@every_card
def test_every_citation_carries_source_date_status_and_summary(card: Card) -> None:
    """A ruling without a date (or the word undated) and a status word would be hearsay."""
    for citation in card.citations:
        assert citation.source.strip()
        assert citation.date == "undated" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", citation.date), citation
        assert citation.status in STATUSES, citation
        assert citation.summary.strip(), citation


@every_card
def test_a_card_that_can_accuse_cites_somebody(card: Card) -> None:
    """A rule that flags on the strength of an eval-path class names at least one ruling."""
    if card.classes and edition().effects[card.id].value == "flag":
        assert card.citations


@every_edition
def test_an_edition_gives_every_class_a_standing(name: str) -> None:
    """Legality is derived from standings: a class without one would count as legal."""
    standing = edition(name).standing
    assert set(standing) == set(CLASSES)
    assert set(standing.values()) <= STANDINGS


@every_edition
def test_an_edition_gives_every_rule_an_effect(name: str) -> None:
    """Every rule that has a module or a card is in force or left out on purpose; today none is left out."""
    missing = (set(cards()) | set(rule_modules())) - set(edition(name).effects)
    assert not missing


@every_edition
def test_an_edition_names_no_unknown_rule(name: str) -> None:
    """An effect for a rule without a card is a typing error."""
    assert set(edition(name).effects) <= set(cards())


@every_edition
def test_an_edition_says_in_its_header_why_it_is_as_it_is(name: str) -> None:
    """The header comment cites sources and dates."""
    text = (FIXTURES.parent / "rules" / "editions" / f"{name}.toml").read_text(encoding="utf-8")
    header = [line for line in text.split("\n\n")[0].splitlines() if line.startswith("#")]
    assert name in header[0]
    assert re.search(r"\d{4}-\d{2}-\d{2}", "\n".join(header[1:]))


@every_edition
def test_a_disputed_class_never_flags(name: str) -> None:
    """Unruled practices raise a review at most."""
    loaded = edition(name)
    for card in cards().values():
        if card.classes and all(loaded.standing[c] == "disputed" for c in card.classes):
            assert loaded.effects[card.id].value in {"review", "note"}, card.id


def test_the_older_edition_treats_ngram_classes_as_open() -> None:
    """Before the sweep of 2026-03-27 nobody had ruled on n-gram caches; the newest edition counts them as illegal."""
    older, newer = edition("2026-03-20"), edition("2026-05-02")
    for name in ("target-keyed-ngram", "unnormalized-mix", "two-pass-rescore", "val-calibrated-gptq"):
        assert older.standing[name] == "disputed"
        assert newer.standing[name] == "illegal"


@every_card
def test_every_class_has_a_rule_and_every_card_class_is_known(card: Card) -> None:
    """Cards speak the vocabulary of classes."""
    assert set(card.classes) <= set(CLASSES)


def test_every_class_belongs_to_a_card() -> None:
    """No class can become active without a rule that establishes it."""
    assert {name for card in cards().values() for name in card.classes} == set(CLASSES)


@every_card
def test_a_rule_with_classes_has_fixtures_on_both_sides(card: Card) -> None:
    """A rule about a class has a fixture that must trigger it and a near miss that must not."""
    if not card.classes or set(card.classes) & {"plain-eval"}:
        return
    assert card.id in fixture_rules("violating")
    assert card.id in fixture_rules("near_miss")


EVIDENCE = tuple(rule for rule in rule_modules() if rule[2] in "045")
"""Rules on intake, sizes, logs and claims: their cases are edits of one legal record, a file per rule."""


@pytest.mark.parametrize("rule", EVIDENCE)
def test_a_rule_on_evidence_has_edited_records_on_both_sides(rule: str) -> None:
    """A rule is one card, one module and its fixtures: at least one that breaks it and one near miss."""
    assert {"violating", "near_miss"} <= edited_kinds(rule)


def test_every_file_of_edited_records_is_named_after_a_card() -> None:
    """Card and fixtures of a rule carry one name, so that neither can be left behind."""
    files = {path.stem for path in (FIXTURES / "edited").iterdir()}
    assert files == {f"{rule}-{cards()[rule].slug}" for rule in EVIDENCE}
