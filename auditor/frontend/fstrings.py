"""Find every f-string of a source and what in it needs Python 3.12 (PEP 701), on any host and by text alone.

The host's own tokenizer cannot be asked: before 3.12 it sees an f-string as one string, since 3.12 it accepts what
older versions reject. The exact rule of older versions is simple: an f-string ends at the first unescaped closing
quote, and an expression holds no backslash and no comment. Source: PEP 701 and CPython 3.10 Parser/string_parser.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

_TOP = re.compile(r"""\#[^\r\n]*|(?:\b[A-Za-z]{1,2})?(?:\"\"\"|'''|"|')""")
_BRACKET = {**dict.fromkeys("([{", 1), **dict.fromkeys(")]}", -1)}
_OTHER = re.compile(r"[^()\[\]{}]+")
_INNER = re.compile(r"""\#[^\r\n]*|(?:\b[A-Za-z]{1,2})?(?:\"\"\"|'''|"|')|[()\[\]{}]|!=|:=|[!:\\]|\r\n|\n|\r""")
_PREFIXES = frozenset(("", "r", "u", "b", "f", "br", "rb", "fr", "rf"))
_DEPTH = 90


class Unterminated(Exception):
    """A string or an f-string field does not end; no Python version parses the source."""


@dataclass(slots=True)
class Literal:
    """One string literal; offsets are characters of the whole text."""

    start: int
    """Offset of the prefix."""
    quote_at: int
    quote: str
    prefix: str
    end: int = 0
    """Offset behind the closing quote."""
    fields: list[Field] = field(default_factory=list)

    @property
    def formatted(self) -> bool:
        return "f" in self.prefix


@dataclass(slots=True)
class Field:
    """One replacement field of an f-string."""

    start: int
    """Offset of the opening brace."""
    level: int
    """0 in the string itself, 1 in a format specification, and so on."""
    expression_end: int = 0
    end: int = 0
    """Offset behind the closing brace."""
    literals: list[Literal] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)
    """Offsets of "backslash", "comment", "newline" and "conversion" inside the expression part."""
    fields: list[Field] = field(default_factory=list)
    """Fields nested in the format specification."""


@dataclass(slots=True)
class Scan:
    """Every f-string of a source in order, and how deep its brackets nest."""

    formatted: list[Literal]
    depth: int
    broken: int | None = None
    """Offset from which the text could not be followed (it parses on no version)."""


def scan(text: str) -> Scan:
    """Scan a whole source text."""
    result = Scan([], 0)
    position = 0
    code: list[str] = []
    while match := _TOP.search(text, position):
        code.append(text[position : match.start()])
        position = match.end()
        if match.group()[0] == "#":
            continue
        try:
            literal = _literal(text, match, 0)
        except Unterminated:
            result.broken = match.start()
            break
        position = literal.end
        if literal.formatted:
            result.formatted.append(literal)
    else:
        code.append(text[position:])
    brackets = _OTHER.sub("", "".join(code))
    result.depth = max(accumulate(map(_BRACKET.__getitem__, brackets), initial=0))
    return result


def _literal(text: str, match: re.Match[str], depth: int) -> Literal:
    token = match.group()
    quote = token.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    prefix = token[: len(token) - len(quote)].lower()
    if prefix not in _PREFIXES:
        prefix = ""
    at = match.end() - len(quote)
    literal = Literal(at - len(prefix), at, quote, prefix)
    if literal.formatted:
        if depth > _DEPTH:
            raise Unterminated
        literal.end = _formatted_body(text, match.end(), literal, literal, depth)
    else:
        literal.end = plain_end(text, match.end(), quote)
    return literal


def plain_end(text: str, position: int, quote: str) -> int:
    """Return the offset behind the first unescaped `quote`; `Unterminated` where a plain string does not end."""
    single = len(quote) == 1
    pattern = _PLAIN_SINGLE[quote] if single else _PLAIN_TRIPLE[quote]
    while match := pattern.search(text, position):
        token = match.group()
        if token == quote:
            return match.end()
        if token[0] != "\\":
            break
        position = match.end()
    raise Unterminated


_PLAIN_SINGLE = {q: re.compile(r"\\(?:\r\n|[\s\S])|" + q + r"|\r|\n") for q in ("'", '"')}
_PLAIN_TRIPLE = {q * 3: re.compile(r"\\[\s\S]|" + q * 3) for q in ("'", '"')}
_BODY_SINGLE = {q: re.compile(r"\\(?:\r\n|[^{}])|\\(?=[{}])|\{\{|\}\}|[{}]|" + q + r"|\r|\n") for q in ("'", '"')}
_BODY_TRIPLE = {q * 3: re.compile(r"\\[^{}]|\\(?=[{}])|\{\{|\}\}|[{}]|" + q * 3) for q in ("'", '"')}
_NAMED = re.compile(r"\\N\{[^}'\"\r\n]*\}")


def _formatted_body(text: str, position: int, literal: Literal, owner: Literal | Field, depth: int) -> int:
    """Follow literal text up to the closing quote, or a field's specification up to its closing brace."""
    into, level = owner.fields, owner.level + 1 if isinstance(owner, Field) else 0
    pattern = _BODY_SINGLE[literal.quote] if len(literal.quote) == 1 else _BODY_TRIPLE[literal.quote]
    while match := pattern.search(text, position):
        token = match.group()
        position = match.end()
        if token == literal.quote:
            if level:
                raise Unterminated
            return position
        if token[0] == "\\":
            named = _NAMED.match(text, match.start()) if "r" not in literal.prefix else None
            position = named.end() if named else position
        elif (token == "{{" and level) or token == "{":
            position = _field(text, match.start(), literal, into, level, depth)
        elif token[0] == "}" and level:
            return match.start()
        elif token in ("\r", "\n"):
            if isinstance(owner, Literal):
                raise Unterminated
            owner.marks.append((match.start(), "newline"))
    raise Unterminated


def _field(text: str, start: int, literal: Literal, into: list[Field], level: int, depth: int) -> int:
    """Follow one replacement field; returns the offset behind its closing brace."""
    found = Field(start, level)
    into.append(found)
    position, brackets = start + 1, 0
    while match := _INNER.search(text, position):
        token = match.group()
        position = match.end()
        if token[0] == "#":
            found.marks.append((match.start(), "comment"))
        elif token == "\\":
            found.marks.append((match.start(), "backslash"))
        elif token[0] in "\r\n":
            if len(literal.quote) == 1:
                found.marks.append((match.start(), "newline"))
        elif token[-1] in "\"'":
            inner = _literal(text, match, depth + 1)
            found.literals.append(inner)
            position = inner.end
        elif token in "([{":
            brackets += 1
        elif brackets and token in ")]}":
            brackets -= 1
        elif not brackets and ((token[0] in "!:" and token != "!=") or token == "}"):
            found.expression_end = match.start()
            found.end = _field_tail(text, match.start(), literal, found, depth)
            return found.end
        elif token in ")]}":
            raise Unterminated
    raise Unterminated


_CONVERSION = re.compile(r"!\s*\w+(\s*)(?=[:}])")


def _field_tail(text: str, position: int, literal: Literal, found: Field, depth: int) -> int:
    if text[position] == "!":
        match = _CONVERSION.match(text, position)
        if match is None:
            raise Unterminated
        if match.group(1):
            found.marks.append((match.start(1), "conversion"))
        position = match.end()
    if text[position] == ":":
        position = _formatted_body(text, position + 1, literal, found, depth)
    if text[position : position + 1] != "}":
        raise Unterminated
    return position + 1


def all_fields(literal: Literal) -> Iterator[Field]:
    """Yield every field of an f-string, those in format specifications included, not those of nested strings."""
    stack = list(reversed(literal.fields))
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(found.fields))
