"""PG001: entries of the folder that are no plain readable files. They were not followed, opened or guessed at."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.finding import Effect, Finding, Pass
from auditor.model.source import Span
from auditor.model.submission import FileEntry, FileKind
from auditor.rules.context import RuleContext

_SAYS = {
    FileKind.OVERSIZE: "is too large and was not read",
    FileKind.SYMLINK: "is a symbolic link and was not followed",
    FileKind.GITLINK: "is a nested repository or submodule; its content is not part of the pull request",
    FileKind.SPECIAL: "is no regular file and was not opened",
    FileKind.UNREADABLE: "could not be read",
}
_CODE = (".py", ".c", ".cc", ".cpp", ".cu", ".h", ".so", ".json", ".md", ".log", ".txt", ".sh")


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Yield one finding per odd entry; what may hold code or evidence asks for review, other files are noted."""
    odd = [entry for entry in ctx.submission.files if entry.kind is not FileKind.REGULAR]
    for entry in odd:
        yield ctx.unproven(_message(entry), Span(entry.path, 0, 1), effect=_effect(entry))
    if not odd:
        yield ctx.established(f"all {len(ctx.submission.files)} entries of the folder are plain files and were read")


def _message(entry: FileEntry) -> str:
    detail = f" ({entry.detail})" if entry.detail else ""
    return f"{entry.path} {_SAYS[entry.kind]}{detail}"


def _effect(entry: FileEntry) -> Effect:
    if entry.kind is FileKind.OVERSIZE and not entry.path.lower().endswith(_CODE):
        return Effect.NOTE
    return Effect.REVIEW
