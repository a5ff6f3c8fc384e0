"""The minifier: passes, self-read rewrite, renaming, each proved before the result is offered.

Returns texts, best first guess first, so that the search can measure them; the plainest is always among them, except
at `fast`, where a renaming that passed its proof is enough.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from types import CodeType

from auditor.packer import alpha, naming, passes, pins, scopes, selfread
from auditor.packer.facts import Facts, gather
from auditor.packer.options import Level, PackOptions
from auditor.packer.passes import Withheld
from auditor.packer.printing import print_and_parse, print_tree
from auditor.packer.walk import statements


@dataclass(frozen=True, slots=True)
class Minified:
    """One equivalent text of the script."""

    text: str
    applied: tuple[str, ...]
    withheld: tuple[Withheld, ...]
    reads_itself: selfread.SelfRead
    traced: bool
    """The script needs its source registered."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A name that kept its spelling, for the report."""

    name: str
    reason: str


def _self_reads(tree: ast.Module, options: PackOptions) -> selfread.SelfRead:
    """Rewrite self-reads where a raw carrier is wanted; only look where the carrier is ASCII."""
    if options.ascii or "selfread" in options.skip:
        copy = ast.parse(ast.unparse(tree)) if "__file__" in ast.dump(tree) or "argv" in ast.dump(tree) else tree
        found = selfread.rewrite(copy)
        return selfread.SelfRead(found.reads, found.problem or ("rewrite switched off" if found.reads else ""))
    return selfread.rewrite(tree)


def _styles(options: PackOptions) -> tuple[str, ...]:
    return naming.STYLES[:1] if options.level is Level.FAST else naming.STYLES


def _renamed(
    tree: ast.Module, plain: CodeType, facts: Facts, options: PackOptions, newer: bool
) -> list[tuple[str, str]]:
    """Return (style, text) of every renaming that passes the bytecode proof."""
    found: list[tuple[str, str]] = []
    scoped = scopes.analyse(tree)
    pins.pin(scoped, facts, options.keep)
    for style in _styles(options):
        renaming = naming.choose(scoped, style)
        renaming.apply()
        try:
            text, parsed = print_and_parse(tree, newer)
        finally:
            renaming.undo()
        if not alpha.difference(plain, alpha.flat(parsed)):
            found.append((style, text))
    return found


def _typed_params(tree: ast.Module) -> bool:
    """Say whether the tree uses type parameters or aliases (3.12), whose scopes are not modelled."""
    return any(getattr(n, "type_params", None) or type(n).__name__ == "TypeAlias" for n in statements(tree))


def minify(source: str, options: PackOptions) -> list[Minified]:
    """Return equivalent texts of `source`, which must parse on this host.

    Raises FrontendError where the script cannot be printed for the target.
    """
    tree = ast.parse(source)
    facts = gather(tree)
    traced = facts.source_reader if options.traced is None else options.traced
    requote = options.target < (3, 12)
    reads = _self_reads(tree, options)
    if not options.minify:
        text = source if not reads.reads or reads.problem else print_tree(tree, requote)
        return [Minified(text, (), (), reads, traced)]
    tree, applied, withheld = passes.apply(tree, facts, tuple(options.skip))
    if reads.reads and not reads.problem:
        applied = (*applied, "selfread")
    results: list[Minified] = []
    typed = _typed_params(tree)
    if "rename" not in options.skip and not typed:
        found = _renamed(tree, alpha.flat(tree), gather(tree), options, requote)
        results = [Minified(t, (*applied, f"rename ({s})"), withheld, reads, traced) for s, t in found]
        if len(found) < len(_styles(options)):
            withheld = (*withheld, Withheld("rename", "a renaming did not pass the bytecode proof"))
    elif typed:
        withheld = (*withheld, Withheld("rename", "type parameters are in use"))
    if results and options.level is Level.FAST:
        return results
    return [*results, Minified(print_tree(tree, requote), applied, withheld, reads, traced)]
