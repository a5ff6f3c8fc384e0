"""Rule cards and editions: the data side of the rules, read from the package's `rules/` directory.

A card is Markdown with TOML front matter between `+++` lines. An edition (`rules/editions/<date>.toml`) says which
effect each rule has, which standing each eval-path class has, and the numbers in force on that date.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from auditor.errors import PgolfError
from auditor.model.finding import Citation, Effect

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Card:
    """One rule card."""

    id: str
    slug: str
    title: str
    classes: tuple[str, ...]
    citations: tuple[Citation, ...]
    body: str
    """The Markdown below the front matter."""


@dataclass(frozen=True, slots=True)
class Edition:
    """Rules and numbers in force on a date."""

    name: str
    effects: dict[str, Effect]
    """Rule id -> what a violation does to the verdict; a rule that is not listed is not in force."""
    standing: dict[str, str]
    """Eval-path class id -> "legal", "illegal" or "disputed"."""
    numbers: dict[str, float]
    """Caps and thresholds, e.g. artifact_bytes, train_seconds, eval_seconds."""
    target_python: str


def data_root() -> Path:
    """Return the directory that holds the cards: inside the wheel, or `rules/` of the checkout."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "ruledata", package.parent / "rules"):
        if (candidate / "editions").is_dir():
            return candidate
    raise PgolfError(
        "the rule cards are missing from this installation (no ruledata/ in the package, no rules/ beside)"
    )


def _toml(text: str, where: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PgolfError(f"{where.name}: {error}") from error
    return loaded


@lru_cache(maxsize=1)
def cards() -> dict[str, Card]:
    """Return every card by rule id."""
    found: dict[str, Card] = {}
    for path in sorted(data_root().glob("PG*.md")):
        _, front, body = path.read_text(encoding="utf-8").split("+++", 2)
        meta = _toml(front, path)
        found[meta["id"]] = Card(
            id=meta["id"],
            slug=meta["slug"],
            title=meta["title"],
            classes=tuple(meta.get("classes", ())),
            citations=tuple(Citation(**row) for row in meta.get("rulings", ())),
            body=body.strip() + "\n",
        )
    return found


def edition_names() -> tuple[str, ...]:
    """Return the shipped editions, oldest first."""
    return tuple(sorted(path.stem for path in (data_root() / "editions").glob("*.toml")))


@lru_cache(maxsize=8)
def edition(name: str | None = None) -> Edition:
    """Load an edition, the newest where no name is given; an unknown name is a `PgolfError` that lists the known.

    A name that ends in `.toml` is a file of the user's: it names the shipped edition that it is `based_on` and what
    differs, for a contest of one's own (another validation text, another cap).
    """
    names = edition_names()
    chosen = name or names[-1]
    if chosen.endswith(".toml"):
        return _own(Path(chosen))
    if chosen not in names:
        raise PgolfError(f"no edition named {chosen!r}; known: {', '.join(names)}, or a path that ends in .toml")
    path = data_root() / "editions" / f"{chosen}.toml"
    raw = _toml(path.read_text(encoding="utf-8"), path)
    return Edition(
        name=chosen,
        effects={rule: Effect(value) for rule, value in raw["effects"].items()},
        standing=dict(raw["standing"]),
        numbers={key: float(value) for key, value in raw["numbers"].items()},
        target_python=str(raw["target_python"]),
    )


def _own(path: Path) -> Edition:
    """Return the shipped edition with a user's changes; its name carries a digest, because a file can change."""
    try:
        content = path.read_bytes()
        raw = _toml(content.decode("utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise PgolfError(f"{path}: cannot be read as an edition: {error}") from error
    parent = raw.pop("based_on", None)
    if parent not in edition_names():
        raise PgolfError(f"{path}: based_on must name a shipped edition: {', '.join(edition_names())}")
    base = edition(parent)
    changed = replace(
        base,
        name=f"{path.stem}@{hashlib.sha256(content).hexdigest()[:12]}",
        effects={**base.effects, **_changes(raw, "effects", dict.fromkeys(cards()), Effect, path)},
        standing={**base.standing, **_changes(raw, "standing", base.standing, _standing, path)},
        numbers={**base.numbers, **_changes(raw, "numbers", base.numbers, float, path)},
        target_python=str(raw.pop("target_python", base.target_python)),
    )
    if raw:
        raise PgolfError(f"{path}: an edition has no {', '.join(sorted(raw))}")
    return changed


def _standing(value: str) -> str:
    if value not in ("legal", "illegal", "disputed"):
        raise ValueError(f"{value!r} is not a standing")
    return value


def _changes(
    raw: dict[str, Any], table: str, known: Mapping[str, object], read: Callable[[Any], T], path: Path
) -> dict[str, T]:
    """Return a table's entries, each checked: a misspelt key would silently leave the shipped value in force."""
    out: dict[str, T] = {}
    entries = raw.pop(table, {})
    if not isinstance(entries, dict):
        raise PgolfError(f"{path}: {table} is a table, not {entries!r}")
    for key, value in entries.items():
        if key not in known:
            raise PgolfError(f"{path}: [{table}] has no {key!r}")
        try:
            out[key] = read(value)
        except (TypeError, ValueError) as error:
            raise PgolfError(f"{path}: [{table}] {key}: {error}") from error
    return out
