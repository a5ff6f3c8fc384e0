"""Does a source parse on a target Python version, and where not: the same answer whatever Python asks.

Four checks that do not depend on the host: the host's own compiler on a source that is free of newer f-string syntax,
the encoding and null bytes, a walk for syntax that is newer than the target, and the f-string scanner.
The compiler builds code objects and throws them away; nothing is executed.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.frontend import pep701
from auditor.frontend.fstrings import Scan
from auditor.frontend.newer import newer_syntax
from auditor.frontend.parse import Parsed, decode, parse
from auditor.model.source import Span, SyntaxProblem

Version = tuple[int, int]

_HOST: Version = (sys.version_info[0], sys.version_info[1])
_FSTRINGS: Version = (3, 12)
_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Lines:
    """Line starts of a text, lines as Python counts them (form feeds and other separators do not end one)."""

    text: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Lines:
        return cls(text, (0, *(match.end() for match in _NEWLINE.finditer(text))))

    def locate(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column of a character offset."""
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.starts[middle] <= offset else (low, middle)
        return low + 1, offset - self.starts[low] + 1

    def bounds(self, line: int) -> tuple[int, int]:
        """Return the offsets of a line without its line end."""
        start = self.starts[line - 1]
        end = self.starts[line] if line < len(self.starts) else len(self.text)
        return start, start + len(self.text[start:end].rstrip("\r\n"))

    def characters(self, line: int, column: int) -> int:
        """Turn a 1-based column in UTF-8 bytes into one in characters."""
        raw = self.source(line).encode("utf-8", "surrogatepass")
        return len(raw[: column - 1].decode("utf-8", "ignore")) + 1

    def source(self, line: int | None) -> str:
        """Return the text of a line, "" where there is none."""
        if line is None or not 1 <= line <= len(self.starts):
            return ""
        start, end = self.bounds(line)
        return self.text[start:end]


def version(text: str) -> Version:
    """Read "3.10" as (3, 10); `ValueError` where it is no such version."""
    major, _, minor = text.partition(".")
    return int(major), int(minor.partition(".")[0])


def problems(raw: bytes, file: str, layer: int, target: Version) -> tuple[SyntaxProblem, ...]:
    """Return every place of a layer that `target` does not parse, in the order of the text; empty where it parses."""
    try:
        text = decode(raw).removeprefix("\ufeff")
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        return (SyntaxProblem(Span(file, layer, 1, 1), f"the encoding cannot be read: {message}", ""),)
    lines = Lines.of(text)
    if "\0" in text:
        line, column = lines.locate(text.index("\0"))
        return (SyntaxProblem(Span(file, layer, line, column), "the source holds a null byte", ""),)
    return tuple(_problems(raw, text, lines, file, layer, target))


def _problems(raw: bytes, text: str, lines: Lines, file: str, layer: int, target: Version) -> Iterator[SyntaxProblem]:
    parsed = parse(raw)
    refused = _compile_error(parsed)
    newer = []
    if target < _FSTRINGS and parsed.scanned is not None:
        newer = list(_fstring_problems(parsed.scanned, lines, file, layer))
    if refused is not None:
        line, column, message = refused
        if not newer or _before(newer[0], line, column):
            yield _problem(lines, file, layer, line, column, message, None)
            return
        yield from newer
        yield _problem(lines, file, layer, line, column, message, None)
        return
    found = newer + list(_grammar_problems(parsed, lines, file, layer, target))
    yield from sorted(found, key=lambda problem: (problem.span.line, problem.span.column))


def _before(problem: SyntaxProblem, line: int, column: int) -> bool:
    return (line, column) < (problem.span.line, problem.span.column)


def _problem(
    lines: Lines, file: str, layer: int, line: int, column: int, message: str, minimum: str | None
) -> SyntaxProblem:
    return SyntaxProblem(Span(file, layer, line, max(column, 1)), message, lines.source(line), minimum)


def _compile_error(parsed: Parsed) -> tuple[int, int, str] | None:
    """Return (line, column, message) where no version up to the host's accepts the source.

    None where it is accepted, and where the parse gave up on a resource, which says nothing about the syntax.
    """
    if parsed.undecided:
        return None
    if parsed.tree is None:
        return parsed.line or 1, parsed.column or 1, parsed.error or "it does not parse"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(parsed.tree, "<submission>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno or 1, error.offset or 1, error.msg
    except (ValueError, MemoryError, RecursionError, OverflowError):
        return None
    return None


def _fstring_problems(scanned: Scan, lines: Lines, file: str, layer: int) -> Iterator[SyntaxProblem]:
    for place in pep701.places(scanned.formatted, lines.text):
        line, column = lines.locate(place.offset)
        start, end = lines.bounds(line)
        rewrite = pep701.rewritten_line(scanned.formatted, lines.text, start, end)
        yield SyntaxProblem(
            Span(file, layer, line, column), f"{place.message} (PEP 701)", lines.text[start:end], "3.12", rewrite
        )


def _grammar_problems(parsed: Parsed, lines: Lines, file: str, layer: int, target: Version) -> Iterator[SyntaxProblem]:
    """Yield syntax newer than the target that the host knows."""
    if parsed.tree is None or target >= _HOST:
        return
    for item in newer_syntax(parsed.tree, lines.text):
        if item.minimum > target:
            minimum = f"{item.minimum[0]}.{item.minimum[1]}"
            column = lines.characters(item.line, item.column)
            yield _problem(lines, file, layer, item.line, column, item.message, minimum)
