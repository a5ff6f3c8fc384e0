"""What in an f-string needs Python 3.12, where exactly, and how to write it so that older versions parse it.

The requote keeps every line and column: it swaps one quote for the other inside a replacement field. Where that is
impossible a field list of the same width stands in (for analysis only, never as a suggestion).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.frontend.fstrings import Literal, Unterminated, all_fields, plain_end

_OTHER = {'"': "'", "'": '"'}
MESSAGES = {
    "quote": "a string inside the f-string reuses its quote {quote}",
    "backslash": "a backslash inside an f-string expression",
    "comment": "a comment inside an f-string expression",
    "newline": "a line break inside a single-quoted f-string's expression",
    "conversion": "a blank behind an f-string conversion",
    "nesting": "f-string fields nested more than two deep",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One place that needs Python 3.12; `offset` counts characters of the whole text."""

    offset: int
    kind: str
    quote: str

    @property
    def message(self) -> str:
        return MESSAGES[self.kind].format(quote=self.quote)


def places(formatted: list[Literal], text: str) -> list[Place]:
    """Return every place of every f-string that Python before 3.12 rejects, in the order of the text."""
    found: list[Place] = []
    for literal in formatted:
        inside = list(_of_literal(literal, text, (literal.quote,)))
        early = first_end(literal, text)
        if early != literal.end and not any(place.kind in ("quote", "newline") for place in inside):
            inside.append(Place((early or literal.end) - len(literal.quote), "quote", literal.quote))
        found += inside
    unique = {(place.offset, place.kind): place for place in found}
    return sorted(unique.values(), key=lambda place: place.offset)


def _of_literal(literal: Literal, text: str, around: tuple[str, ...]) -> Iterator[Place]:
    for field in all_fields(literal):
        if field.level >= 2:
            yield Place(field.start, "nesting", literal.quote)
        for offset, kind in field.marks:
            yield Place(offset, kind, literal.quote)
        for inner in field.literals:
            yield from _of_nested(inner, text, around)


def _of_nested(inner: Literal, text: str, around: tuple[str, ...]) -> Iterator[Place]:
    own = _own_text(inner, text)
    clash = next((quote for quote in around if quote in own), None)
    if clash is not None:
        yield Place(inner.quote_at, "quote", clash)
    slash = _own_backslash(inner, text)
    if slash is not None:
        yield Place(slash, "backslash", around[0])
    if any(len(quote) == 1 for quote in around) and ("\n" in own or "\r" in own):
        yield Place(inner.quote_at, "newline", around[0])
    if inner.formatted:
        yield from _of_literal(inner, text, (*around, inner.quote))


def _own_text(literal: Literal, text: str) -> str:
    """The characters of a literal outside its fields, quotes included, with fields as blanks."""
    pieces, position = [], literal.quote_at
    for field in literal.fields:
        pieces.append(text[position : field.start])
        pieces.append(" ")
        position = field.end
    pieces.append(text[position : literal.end])
    return "".join(pieces)


def _own_backslash(literal: Literal, text: str) -> int | None:
    position = literal.quote_at
    for start, end in [*((f.start, f.end) for f in literal.fields), (literal.end, literal.end)]:
        at = text.find("\\", position, start)
        if at >= 0:
            return at
        position = end
    return None


def requote(formatted: list[Literal], text: str) -> tuple[str, bool]:
    """Return the text of the same width that Python before 3.12 parses, and whether it still means the same."""
    characters = list(text)
    exact = True
    for literal in formatted:
        if not list(_of_literal(literal, text, (literal.quote,))):
            continue
        if not _flip(literal, text, characters, (literal.quote,)):
            characters[literal.start : literal.end] = text[literal.start : literal.end]
            _spread(literal, text, characters)
            exact = False
    return "".join(characters), exact


def _flip(literal: Literal, text: str, characters: list[str], around: tuple[str, ...]) -> bool:
    """Swap the quotes of nested strings in place; False where no swap of the same width exists."""
    for field in all_fields(literal):
        if field.level >= 2 or field.marks:
            return False
        for inner in field.literals:
            if not _flip_nested(inner, text, characters, around):
                return False
    return True


def _flip_nested(inner: Literal, text: str, characters: list[str], around: tuple[str, ...]) -> bool:
    own = _own_text(inner, text)
    body = own[len(inner.quote) : len(own) - len(inner.quote)]
    if "\\" in own or any(quote in body for quote in around):
        return False
    quote = inner.quote
    if any(outer in own for outer in around):
        quote = _OTHER[inner.quote[0]] * len(inner.quote)
        if quote[0] in body or any(outer in quote for outer in around):
            return False
        width = len(quote)
        characters[inner.quote_at : inner.quote_at + width] = quote
        characters[inner.end - width : inner.end] = quote
    return not inner.formatted or _flip(inner, text, characters, (*around, quote))


def _spread(literal: Literal, text: str, characters: list[str]) -> None:
    """Turn an f-string into a tuple of its expressions at their own places."""
    for index in range(literal.start, literal.end):
        if characters[index] not in "\r\n":
            characters[index] = " "
    characters[literal.start] = "("
    characters[literal.end - 1] = ")"
    for field in literal.fields:
        end = field.start + 1 + len(text[field.start + 1 : field.expression_end].rstrip())
        if text[end - 1] == "=" and text[end - 2] not in "=!<>":
            end -= 1
        characters[field.start + 1 : end] = text[field.start + 1 : end]
        characters[field.end - 1] = ","
        for inner in field.literals:
            if inner.formatted and list(_of_literal(inner, text, (inner.quote,))):
                _spread(inner, text, characters)


def first_end(literal: Literal, text: str) -> int | None:
    """Return where Python before 3.12 ends an f-string, None where it finds no end."""
    try:
        return plain_end(text, literal.quote_at + len(literal.quote), literal.quote)
    except Unterminated:
        return None


def rewritten_line(formatted: list[Literal], text: str, start: int, end: int) -> str | None:
    """Return the line at these offsets with its quotes swapped, None where swapping cannot mend it."""
    touched = [item for item in formatted if item.start < end and item.end > start]
    changed, exact = requote(touched, text)
    line = changed[start:end]
    return line if exact and line != text[start:end] else None
