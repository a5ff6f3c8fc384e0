"""Load the models of library calls. Data only: what a kind means is for the interpreter to say."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, slots=True)
class Models:
    """Kinds by dotted name, method kinds by name, libraries of pure functions, and names that are read as others."""

    kinds: dict[str, str]
    methods: dict[str, str]
    pure: frozenset[str]
    aliases: dict[str, str]

    def is_pure(self, path: str) -> bool:
        """Say whether an unlisted function of this path only computes on its arguments."""
        return path.split(".", 1)[0] in self.pure


@lru_cache(maxsize=1)
def models() -> Models:
    """Read libraries.toml once."""
    raw = tomllib.loads((Path(__file__).parent / "libraries.toml").read_text(encoding="utf-8"))
    return Models(
        kinds={name: kind for kind, names in raw["kinds"].items() for name in names},
        methods={name: kind for kind, names in raw["methods"].items() for name in names},
        pure=frozenset(raw["pure"]),
        aliases=dict(raw["aliases"]),
    )
