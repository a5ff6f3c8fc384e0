"""What intake hands to everything else: the files of one record folder, read once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FileKind(Enum):
    """What a directory entry is; only REGULAR entries carry bytes."""

    REGULAR = "regular"
    OVERSIZE = "oversize"
    SYMLINK = "symlink"
    GITLINK = "gitlink"
    SPECIAL = "special"
    UNREADABLE = "unreadable"


class Track(str, Enum):
    """Which leaderboard a folder stands under."""

    RECORD = "record"
    NON_RECORD = "non-record"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of a submission folder."""

    path: str
    """POSIX path relative to the submission folder."""
    kind: FileKind
    size: int
    data: bytes | None = None
    """Whole content, None where it was not read (see `kind`)."""
    sha256: str | None = None
    detail: str = ""
    """Link target or why it could not be read."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One record folder."""

    path: str
    """POSIX path relative to the audited root ("." where the root is the folder itself)."""
    name: str
    track: Track
    files: tuple[FileEntry, ...]
    script: str | None
    """Path of the script inside the folder, None where there is none."""
    script_reason: str
    """How the script was chosen, or why there is none."""
    copy_of: str | None = None
    """Path of another submission in the same tree with byte-identical content."""
    modified: bool | None = None
    """True where the pull request changes a folder that its base already has; None where unknown (no git)."""

    def file(self, path: str) -> FileEntry | None:
        return next((entry for entry in self.files if entry.path == path), None)


@dataclass(frozen=True, slots=True)
class RootProblem:
    """Something about the audited root itself, outside every submission, that a reader has to know."""

    path: str
    """POSIX path relative to the root, "." for the root."""
    message: str


@dataclass(frozen=True, slots=True)
class Intake:
    """Everything that was found below one root."""

    root: str
    submissions: tuple[Submission, ...]
    problems: tuple[RootProblem, ...] = ()
    base: str | None = None
    """Commit that the pull request was compared with, None without git."""
