"""What a README and a folder's name claim: the number, rows per seed, and features that the text says are absent.

All of it is claim, read for comparison with logs and code. Prose is read narrowly: a wrong reading here would
become somebody's "inconsistency".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.intake.decode import decode
from auditor.model.evidence import Claim
from auditor.model.submission import FileEntry, Submission

_STATED = re.compile(
    r"\bval[_ ]?bpb\b[*`_ ]{0,4}(?:\([^)]{0,40}\))?[*` ]{0,4}[:=≈~]{1,2}[*`~ ]{0,4}(\d\.\d{2,10})\b", re.I
)
_NAME = re.compile(r"(?:^|[_-])(?:bpb)?([01]\.\d{3,8})(?:$|[_-])", re.I)
_CELL = re.compile(r"^[*`~ ]{0,6}(\d+\.\d{2,10})[*` ]{0,6}")
_SEED_CELL = re.compile(r"^[*` ]{0,4}(?:seed[ =:]{0,2})?(\d{1,7})[*` ]{0,4}$", re.I)
_DENIAL = re.compile(r"\b(?:no|without|not using|does not use)\s+(?=([a-z][\w /-]{2,40}))", re.I)
_LINES = 2_000
_FEATURES: tuple[tuple[str, re.Pattern[str], re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (name, re.compile(said, re.I), re.compile(word, re.I), re.compile(setting))
    for name, said, word, setting in (
        ("n-gram cache", r"^(?:eval[- ]time )?n-?gram", r"n-?gram", r"^(?:use_)?ngram(?:_cache|_eval)?(?:_enabled)?$"),
        ("SLOT", r"^slot\b", r"\bslot\b", r"^slot(?:_enabled|_eval)?$"),
        ("ETLB", r"^etlb\b", r"\betlb\b", r"^etlb(?:_enabled)?$"),
        ("pre-quant TTT", r"^pre-?quant\w* ttt", r"pre-?quant", r"^pre_?quant_?ttt(?:_enabled)?$"),
        ("TTT", r"^(?:ttt|test[- ]time training)\b", r"ttt|test[- ]time", r"^ttt_enabled$"),
        ("hash embedding", r"^(?:ttt )?hash[- ]embed", r"hash[-_ ]?embed", r"^(?:ttt_)?hash_embed(?:_enabled)?$"),
        ("PPM", r"^ppm\b", r"\bppm", r"^ppm(?:_enabled)?$"),
        ("casefold", r"^casefold", r"case-?fold", r"^casefold(?:_enabled)?$"),
    )
)
"""Feature, how a denial begins, how a text mentions it at all, and the settings that switch it on."""


@dataclass(frozen=True, slots=True)
class SeedCell:
    """One seed's row of a README table."""

    seed: int
    values: tuple[float, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Denial:
    """A feature that the text says is not used."""

    feature: str
    setting: re.Pattern[str]
    """Names of settings that would switch it on."""
    file: str
    line: int
    text: str


def readme(submission: Submission) -> FileEntry | None:
    """Return the submission's README, None where there is none."""
    found = [entry for entry in submission.files if entry.path.lower() in ("readme.md", "readme", "readme.txt")]
    return found[0] if found and found[0].data is not None else None


def readme_lines(submission: Submission) -> list[str]:
    """Return the README's lines, as many as are read."""
    entry = readme(submission)
    return [] if entry is None or entry.data is None else decode(entry.data)[0].split("\n")[:_LINES]


def claim_in_text(submission: Submission) -> Claim | None:
    """Find a claim where submission.json has none: "val_bpb = x" in the README, else a number in the folder's name."""
    entry = readme(submission)
    for number, line in enumerate(readme_lines(submission), start=1):
        match = _STATED.search(line[:2000])
        if match and entry is not None:
            return Claim(float(match[1]), entry.path, number, "val_bpb")
    match = _NAME.search(submission.name)
    return Claim(float(match[1]), "folder name") if match else None


def seed_table(submission: Submission) -> tuple[SeedCell, ...]:
    """Return the rows of README tables whose first cell is a seed, with every decimal number of the row."""
    found = []
    for number, line in enumerate(readme_lines(submission), start=1):
        if not line.lstrip().startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        seed = _SEED_CELL.match(cells[0])
        values = tuple(float(match[1]) for cell in cells[1:] if (match := _CELL.match(cell)))
        if seed and values:
            found.append(SeedCell(int(seed[1]), values, number))
    return tuple(found)


def denials(submission: Submission) -> Iterator[Denial]:
    """Yield the features that the README says are not used, each once."""
    entry = readme(submission)
    seen: set[str] = set()
    for number, line in enumerate(readme_lines(submission), start=1):
        for match in _DENIAL.finditer(line[:2000]):
            for feature, said, _, setting in _FEATURES:
                if feature not in seen and said.match(match[1]) and entry is not None:
                    seen.add(feature)
                    yield Denial(feature, setting, entry.path, number, line.strip())


def unmentioned(submission: Submission) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield (feature, settings that switch it on) of what the README never mentions; nothing without a README."""
    text = "\n".join(readme_lines(submission))
    if text.strip():
        yield from ((feature, setting) for feature, _, word, setting in _FEATURES if not word.search(text))
