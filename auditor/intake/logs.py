"""Read the logs of a submission: decode, mark sections, split into runs, collect every fact with its line.

It collects and does not choose: which run, metric or size counts is decided later, in `measure/`. It must never fail
on content; what could not be read is said in `LogFile.problems`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from auditor.intake.collect import Collector
from auditor.intake.decode import decode
from auditor.intake.sections import classify, log_line
from auditor.limits import LogLimits
from auditor.model.logs import LogFile, LogLine
from auditor.model.submission import FileEntry, FileKind, Submission

_SUFFIXES = frozenset({".log", ".txt", ".out", ""})
_NOT_LOGS = re.compile(
    r"requirements|^readme|pr_body|~$|\.un~|results?\.tsv|license|commands?\.txt|tokenizer|environment|hardware|notes?\.",
    re.I,
)
_SIDE = re.compile(
    r"ablation|baseline|control|smoke|sweep|screen|reference|preflight|debug|proxy|_fail|(?<![a-z])old(?![a-z])|partial"
    r"|1gpu|1xh100|supplement|repro|diag",
    re.I,
)
_SEED_IN_NAME = re.compile(r"(?:seed|(?<![a-z])s)[_-]?(\d{1,7})(?!\d)", re.I)
_CONTENT = re.compile(rb"bpb\"?\s{0,4}[:=]\s{0,16}\d|Total (?:\w+ )?submission|Serialized model|train_loss", re.I)
_WIDE_CONTENT = re.compile(rb"b\x00p\x00b\x00|l\x00o\x00s\x00s\x00", re.I)
_SIDE_MIN_FILES = 3


def read_logs(submission: Submission, limits: LogLimits) -> tuple[LogFile, ...]:
    """Return every log of a submission in path order, with main logs and byte-copies marked."""
    entries = [entry for entry in submission.files if _may_be_log(entry)]
    main = _main_paths([entry.path for entry in entries])
    logs: list[LogFile] = []
    seen: dict[str, str] = {}
    for entry in sorted(entries, key=lambda item: (_seed_of(item.path) is None, item.path)):
        data = entry.data or b""
        digest = entry.sha256 or hashlib.sha256(data).hexdigest()
        log = read_log(
            entry.path, data, limits, main=entry.path in main, sha256=digest, duplicate_of=seen.get(digest, "")
        )
        seen.setdefault(digest, entry.path)
        if log.facts or log.metrics or log.steps or not data:
            logs.append(log)
    return tuple(sorted(logs, key=lambda log: log.file))


def read_log(
    path: str, data: bytes, limits: LogLimits, *, main: bool = True, sha256: str = "", duplicate_of: str = ""
) -> LogFile:
    """Read one log; `path` is the name that every value will cite."""
    problems: list[str] = []
    if len(data) > limits.file_bytes:
        problems.append(f"only the first {limits.file_bytes} of {len(data)} bytes were read")
        data = data[: limits.file_bytes]
    text, encoding = decode(data)
    raw = text.split("\n")
    if raw and not raw[-1]:
        raw.pop()
    if len(raw) > limits.lines:
        problems.append(f"only the first {limits.lines} of {len(raw)} lines were read")
        raw = raw[: limits.lines]
    long = sum(1 for line in raw if len(line) > limits.line_chars)
    if long:
        cut = "1 line" if long == 1 else f"{long} lines"
        problems.append(f"{cut} longer than {limits.line_chars} characters, read in part")
    kinds = classify(raw)
    lines = tuple(
        log_line(number, kind, line, limits.line_chars)
        for number, (kind, line) in enumerate(zip(kinds, raw, strict=True), start=1)
    )
    return _collect(path, lines, encoding, main, sha256, duplicate_of, tuple(problems))


def _collect(
    path: str,
    lines: tuple[LogLine, ...],
    encoding: str,
    main: bool,
    sha256: str,
    duplicate_of: str,
    problems: tuple[str, ...],
) -> LogFile:
    collector = Collector(path)
    for line in lines:
        collector.feed(line)
    collector.close(len(lines))
    return LogFile(
        file=path,
        family=collector.family,
        encoding=encoding,
        lines=lines,
        runs=collector.run + 1,
        facts=tuple(collector.facts),
        metrics=tuple(collector.metrics),
        hyperparameters=collector.settings.values,
        main=main,
        steps=tuple(collector.steps),
        sha256=sha256,
        duplicate_of=duplicate_of,
        seed_in_name=_seed_of(path),
        problems=problems,
        settings_block=frozenset(collector.settings.block & collector.settings.values.keys()),
        run_spans=tuple(collector.run_spans),
    )


def looks_like_log(name: str, data: bytes) -> bool:
    """Say whether a text file holds training or evaluation facts."""
    head = data[:4_000_000]
    return _CONTENT.search(head) is not None or _WIDE_CONTENT.search(head[:200_000]) is not None


def _may_be_log(entry: FileEntry) -> bool:
    path = PurePosixPath(entry.path)
    if entry.kind not in (FileKind.REGULAR, FileKind.OVERSIZE) or path.suffix.lower() not in _SUFFIXES:
        return False
    if _NOT_LOGS.search(path.name) or entry.data is None:
        return False
    if not entry.data:
        return path.suffix.lower() == ".log" or "seed" in path.name
    return looks_like_log(path.name, entry.data)


def _main_paths(paths: list[str]) -> set[str]:
    """Prefer the folder's own level; with more than three files, names of side experiments are left out."""
    top = [path for path in paths if "/" not in path] or paths
    if len(top) <= _SIDE_MIN_FILES:
        return set(top)
    return {path for path in top if not _SIDE.search(path)} or set(top)


def _seed_of(path: str) -> int | None:
    match = _SEED_IN_NAME.search(PurePosixPath(path).name)
    return int(match[1]) if match else None
