"""What a README says beside a number: the words of its line, or the names of its row and column in a table.

Prose decides nothing by itself; the words only tell which of several printed numbers is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.intake.readme import readme_lines
from auditor.model.submission import Submission

_NUMBER = re.compile(r"(?<![\d.])\d\.\d{3,10}(?!\d)")
_RULE = re.compile(r"^[|:\-\s]+$")
_LINE = 400
"""Characters of a line that are read: longer ones are paragraphs, in which a word says little of a number."""


def mentions(submission: Submission, number: float) -> tuple[str, ...]:
    """Return the texts beside every mention of a number in the README: of tables first, headings last.

    A column names one number; a heading may list everything that a submission does.
    """
    found = sorted(_beside(readme_lines(submission), number), key=lambda row: row[0])
    return tuple(text for _, text in found)


def _beside(lines: list[str], number: float) -> Iterator[tuple[int, str]]:
    """Yield (rank, text) in the order of the lines: 0 for a table, 1 for a line of text, 2 for a heading."""
    header: list[str] = []
    for line, following in zip(lines, [*lines, ""][1:], strict=True):
        row = line.lstrip().startswith("|")
        if row and not header and _RULE.match(following.strip() or "."):
            header = _cells(line)
        elif not row:
            header = []
        if not any(_means(found, number) for found in _NUMBER.findall(line[:_LINE])):
            continue
        if row:
            yield from ((0, text) for text in _named(_cells(line), header, number))
        else:
            yield (2 if line.lstrip().startswith("#") else 1), line[:_LINE]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _named(cells: list[str], header: list[str], number: float) -> Iterator[str]:
    """Yield the row's own words with the name of each column that holds the number."""
    words = " ".join(cell for cell in cells if not _NUMBER.search(cell))
    for at, cell in enumerate(cells):
        if any(_means(found, number) for found in _NUMBER.findall(cell)):
            yield f"{header[at] if at < len(header) else ''} {words}".strip()


def _means(text: str, number: float) -> bool:
    """Say whether a printed number is this one, rounded or cut to the digits that it has."""
    digits = len(text.partition(".")[2])
    return abs(float(text) - number) < 10.0**-digits * 0.51 or text == f"{number:.10f}"[: len(text)]
