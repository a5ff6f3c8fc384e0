"""Walk a hostile directory and read its files once.

Nothing else in the package opens a file of a pull request. Links are never followed, special files never opened,
every entry is kept with its kind so that a rule can speak about it, and no entry is dropped silently.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from auditor.limits import IntakeLimits
from auditor.model.submission import FileEntry, FileKind

_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One directory entry that is not a directory, not yet read."""

    path: str
    """POSIX path relative to the root, printable: undecodable bytes are escaped."""
    real: Path
    kind: FileKind
    size: int
    detail: str = ""


@dataclass(slots=True)
class Tree:
    """What a walk found: directories and entries by POSIX path, and what stopped it."""

    directories: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def printable(name: str) -> str:
    """Return a file name as valid Unicode; bytes that are not UTF-8 become backslash escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def walk(root: Path, limits: IntakeLimits) -> Tree:
    """List every entry below `root` in sorted order without following links; a `.git` below the root is a gitlink."""
    tree = Tree()
    _walk(root, "", 0, tree, limits)
    return tree


def _walk(directory: Path, prefix: str, depth: int, tree: Tree, limits: IntakeLimits) -> None:
    try:
        with os.scandir(directory) as scan:
            found = sorted(scan, key=lambda item: os.fsencode(item.name))
    except OSError as error:
        tree.problems.append((prefix or ".", f"the directory cannot be listed: {error.strerror}"))
        return
    for item in found:
        if len(tree.entries) >= limits.tree_files:
            tree.problems.append((prefix or ".", f"more than {limits.tree_files} files: the rest was not read"))
            return
        path = f"{prefix}/{printable(item.name)}" if prefix else printable(item.name)
        if item.name == ".git":
            if prefix:
                tree.entries.append(Entry(path, Path(item.path), FileKind.GITLINK, 0, "a nested git repository"))
            continue
        if not item.is_dir(follow_symlinks=False):
            tree.entries.append(_entry(Path(item.path), path))
        elif depth >= limits.tree_depth:
            tree.problems.append((path, f"deeper than {limits.tree_depth} directories: not read"))
        else:
            tree.directories.append(path)
            _walk(Path(item.path), path, depth + 1, tree, limits)


def _entry(real: Path, path: str) -> Entry:
    try:
        status = os.lstat(real)
    except OSError as error:
        return Entry(path, real, FileKind.UNREADABLE, 0, error.strerror or "cannot be examined")
    if stat.S_ISLNK(status.st_mode):
        try:
            target = printable(os.readlink(real))
        except OSError as error:
            target = f"? ({error.strerror})"
        return Entry(path, real, FileKind.SYMLINK, status.st_size, target)
    if not stat.S_ISREG(status.st_mode):
        return Entry(path, real, FileKind.SPECIAL, status.st_size, _special(status.st_mode))
    return Entry(path, real, FileKind.REGULAR, status.st_size)


def _special(mode: int) -> str:
    names = {
        stat.S_IFIFO: "named pipe",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "character device",
        stat.S_IFBLK: "block device",
    }
    return names.get(stat.S_IFMT(mode), "special file")


class Reader:
    """Read entries under one common byte budget."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._limits = limits
        self._left = limits.total_bytes

    def read(self, entry: Entry, path: str) -> FileEntry:
        """Read one entry whole; `path` is its name inside the submission. Never raises for what the file holds."""
        if entry.kind is not FileKind.REGULAR:
            return FileEntry(path, entry.kind, entry.size, detail=entry.detail)
        if entry.size > self._limits.file_bytes:
            why = f"larger than {self._limits.file_bytes} bytes: not read"
            return FileEntry(path, FileKind.OVERSIZE, entry.size, detail=why)
        if entry.size > self._left:
            why = f"all files together exceed {self._limits.total_bytes} bytes: not read"
            return FileEntry(path, FileKind.OVERSIZE, entry.size, detail=why)
        try:
            data = b"".join(self._chunks(entry.real))
        except OSError as error:
            kind = FileKind.SYMLINK if error.errno == errno.ELOOP else FileKind.UNREADABLE
            return FileEntry(path, kind, entry.size, detail=error.strerror or "cannot be read")
        if len(data) > self._limits.file_bytes:
            why = "grew while it was read"
            return FileEntry(path, FileKind.OVERSIZE, len(data), detail=why)
        self._left -= len(data)
        return FileEntry(path, FileKind.REGULAR, len(data), data, hashlib.sha256(data).hexdigest())

    def _chunks(self, real: Path) -> Iterator[bytes]:
        descriptor = os.open(real, _FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "not a regular file any more")
            total = 0
            while total <= self._limits.file_bytes:
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    return
                total += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)
