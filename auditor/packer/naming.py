"""Choose new names so that the text compresses well, and write them into the tree.

Two styles. "grouped": every original name gets one short name throughout the file, so that repeated idioms stay
repeated
(what context models and LZ both reward). "scoped": each scope counts its own names from the most used letter down.
Which one wins depends on the script; `search` tries both. Nothing pinned is touched.
"""

from __future__ import annotations

import builtins
import itertools
import keyword
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.packer.scopes import Binding, Scope, ScopeTree

STYLES = ("grouped", "scoped")


@dataclass(frozen=True, slots=True)
class Renaming:
    """One complete choice: bindings with their new names, in a stable order."""

    pairs: tuple[tuple[Binding, str], ...]

    def apply(self) -> None:
        """Write the new names into the tree."""
        for binding, name in self.pairs:
            for site in binding.sites:
                site.write(name)

    def undo(self) -> None:
        """Write the original names back."""
        for binding, _ in self.pairs:
            for site in binding.sites:
                site.write(binding.name)


def candidates() -> Iterator[str]:
    """Yield short names, single letters first, never a keyword or builtin."""
    first = string.ascii_lowercase + string.ascii_uppercase
    yield from first
    for length in itertools.count(2):
        for parts in itertools.product(first, repeat=length):
            name = "".join(parts)
            if not keyword.iskeyword(name) and not hasattr(builtins, name):
                yield name


def _bare_import(binding: Binding) -> bool:
    """Say whether renaming would add an `as` clause: measured on real scripts, that never pays after compression."""
    return "import" in binding.roles and any(s.attribute == "name" for s in binding.sites)


def _groups(chosen: Sequence[Binding], style: str) -> list[list[Binding]]:
    if style == "scoped":
        groups = [[binding] for binding in chosen]
    else:
        by_name: dict[str, list[Binding]] = {}
        for binding in chosen:
            by_name.setdefault(binding.name, []).append(binding)
        groups = list(by_name.values())
    return sorted(groups, key=lambda g: -sum(len(b.sites) for b in g))


def choose(tree: ScopeTree, style: str) -> Renaming:
    """Return a renaming of every binding that is not pinned."""
    taken: dict[Scope, set[str]] = {}
    chosen: list[Binding] = []
    for binding in tree.bindings():
        if not binding.pinned and not _bare_import(binding):
            chosen.append(binding)
            continue
        for scope in binding.occupied:
            taken.setdefault(scope, set()).add(binding.name)
    pairs: list[tuple[Binding, str]] = []
    for group in _groups(chosen, style):
        scopes = {scope: None for binding in group for scope in binding.occupied}
        blocked = set().union(*(taken.get(scope, set()) for scope in scopes))
        name = next(c for c in candidates() if c not in blocked)
        for scope in scopes:
            taken.setdefault(scope, set()).add(name)
        pairs.extend((binding, name) for binding in group)
    return Renaming(tuple(pairs))
