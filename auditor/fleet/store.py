"""The files of a corpus run: a journal that grows line by line, and the results, sorted, that replace it at the end.

The results hold nothing that depends on when or in how many pieces the run was made, so a run that was killed and
resumed ends with the same bytes as one that was not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import PgolfError
from auditor.report.json import dump

RESULTS, JOURNAL = "results.jsonl", "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Header:
    """First line of every file: what the rows were made with."""

    tool: str
    edition: str

    def line(self) -> str:
        return dump({"pgolf_corpus": 1, "tool": self.tool, "edition": self.edition}, indent=None)


@dataclass(frozen=True, slots=True)
class Row:
    """One task's result: its line as it stands, and what is needed to sort and look it up."""

    task: str
    key: str
    failed: bool
    line: str

    def document(self) -> dict[str, Any]:
        """Return the row's JSON."""
        loaded: dict[str, Any] = json.loads(self.line)
        return loaded


def parse_row(line: str) -> Row:
    """Return a row. Raises ValueError where the line is not one (the end of a file that a kill cut off)."""
    raw = json.loads(line)
    if not isinstance(raw, dict) or not {"task", "key", "failure", "submissions"} <= raw.keys():
        raise ValueError("not a row of a corpus run")
    return Row(str(raw["task"]), str(raw["key"]), raw["failure"] is not None, line)


def read(path: Path) -> tuple[Header | None, list[Row]]:
    """Return the header and rows of a results file or journal; a last line that was cut off is left out.

    PgolfError where a line before the last is not a row.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PgolfError(f"{path}: {error.strerror}") from error
    lines = text.split("\n")
    header: Header | None = None
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            if header is None:
                raw = json.loads(line)
                header = Header(str(raw["tool"]), str(raw["edition"]))
            else:
                rows.append(parse_row(line))
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise PgolfError(f"{path}:{number}: {error}") from error
    return header, rows


def known(directory: Path) -> dict[str, Row]:
    """Return the rows that earlier runs left, by key; failed tasks are left out and so tried again."""
    found: dict[str, Row] = {}
    for name in (RESULTS, JOURNAL):
        if (directory / name).exists():
            found.update({row.key: row for row in read(directory / name)[1] if not row.failed})
    return found


def open_journal(directory: Path, header: Header, rows: Iterable[Row]) -> Any:
    """Start a journal afresh with what is known already, and return it open for appending."""
    path = directory / JOURNAL
    _replace(path, [header.line(), *(row.line for row in rows)])
    return path.open("a", encoding="utf-8", newline="\n")


def finish(directory: Path, header: Header, rows: Iterable[Row]) -> Path:
    """Write the sorted results in one step and remove the journal."""
    write_results(directory / RESULTS, header, rows)
    (directory / JOURNAL).unlink(missing_ok=True)
    return directory / RESULTS


def write_results(path: Path, header: Header, rows: Iterable[Row]) -> None:
    """Write a results file: the header, then the rows in the order of their tasks."""
    _replace(path, [header.line(), *(row.line for row in sorted(rows, key=lambda row: task_order(row.task)))])


def task_order(task: str) -> tuple[object, ...]:
    """Sort numbers as numbers: pr/9 before pr/10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in task.split("/"))


def merge(paths: Iterable[Path]) -> tuple[Header, list[Row]]:
    """Return the rows of several results files of one tool and edition, each task once.

    PgolfError where the files were made by different tools or editions, or disagree about a task.
    """
    header: Header | None = None
    rows: dict[str, Row] = {}
    for path in paths:
        found, more = read(path)
        if found is None or (header is not None and found != header):
            raise PgolfError(f"{path}: made by another state of the tool or under another edition")
        header = found
        for row in more:
            if rows.setdefault(row.task, row).line != row.line:
                raise PgolfError(f"{path}: task {row.task} has another result in an earlier file")
    if header is None:
        raise PgolfError("no file to merge")
    return header, list(rows.values())


def verdicts(rows: Iterable[Row]) -> dict[tuple[str, str], str]:
    """Return (task, submission path) -> "VERDICT / legality", "failed: ..." under the path "" for a failed task."""
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        raw = row.document()
        if raw["failure"] is not None:
            found[row.task, ""] = f"failed: {raw['failure']}"
        for one in raw["submissions"]:
            found[row.task, one["path"]] = f"{one['verdict']} / {one['legality']['verdict']}"
    return found


def differences(
    old: Mapping[tuple[str, str], str], new: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield (task, path, old, new) for every submission whose verdict changed; "-" where there is none."""
    for place in sorted({*old, *new}, key=lambda at: (task_order(at[0]), at[1])):
        before, after = old.get(place, "-"), new.get(place, "-")
        if before != after:
            yield (*place, before, after)


def _replace(path: Path, lines: Iterable[str]) -> None:
    """Write a file so that a kill leaves either the old or the new one."""
    scratch = path.with_name(path.name + ".tmp")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise PgolfError(f"cannot write {path}: {error.strerror}") from error
