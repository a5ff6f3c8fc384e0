"""What a corpus run consists of: one task per pull request of a repository, or per PR-shaped directory or folder.

A task's key names its content, the tool and the edition: a result with the same key is the same result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import auditor
from auditor import __version__
from auditor.errors import IntakeError
from auditor.intake.snapshot import git_dir_of, pulls
from auditor.limits import IntakeLimits
from auditor.rules.data import data_root

_TOOL_FILES = frozenset({".py", ".toml", ".json", ".css", ".js", ".md"})


@dataclass(frozen=True, slots=True)
class Task:
    """One unit of work."""

    name: str
    """"pr/1148", or the path below the source directory."""
    source: str
    """Git directory of a pull request, or the directory to audit."""
    number: int | None = None
    head: str | None = None


@lru_cache(maxsize=1)
def tool_digest() -> str:
    """Return a hash over the package's code and cards: a result of another state of the tool is never reused."""
    digest = hashlib.sha256(__version__.encode())
    package = Path(auditor.__file__).parent
    for root in (package, data_root()):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.suffix in _TOOL_FILES:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def tasks_of(source: Path, limits: IntakeLimits, numbers: frozenset[int] | None = None) -> tuple[Task, ...]:
    """Return the tasks of a repository with pull refs, else of a directory; `numbers` picks pull requests.

    `IntakeError` where there is nothing to audit.
    """
    if not source.is_dir():
        raise IntakeError(f"{source}: no such directory")
    git_dir = git_dir_of(source)
    found = pulls(git_dir.resolve(), limits) if git_dir is not None else ()
    if found:
        picked = [pull for pull in found if numbers is None or pull.number in numbers]
        tasks = [Task(f"pr/{pull.number}", str(git_dir), pull.number, pull.head) for pull in picked]
    else:
        tasks = [Task(path.relative_to(source).as_posix(), str(path)) for path in _directories(source)]
    if not tasks:
        raise IntakeError(f"{source}: no pull request and no submission folder")
    return tuple(tasks)


def shard_of(tasks: Iterable[Task], index: int, count: int) -> tuple[Task, ...]:
    """Return the tasks of shard `index` (1-based) of `count`; the split depends on the names alone."""
    return tuple(task for task in tasks if _bucket(task.name) % count == index - 1)


def key_of(task: Task, edition: str, limits: IntakeLimits) -> str:
    """Return the name of a task's result: content, tool and edition. Reads the files of a directory task."""
    digest = hashlib.sha256(f"{tool_digest()}\n{edition}\n{task.name}\n".encode("utf-8", "backslashreplace"))
    if task.head is not None:
        digest.update(task.head.encode())
        return digest.hexdigest()
    from auditor.intake.discover import discover
    from auditor.usecases.judge import content_hash

    for submission in discover(Path(task.source), None, limits).submissions:
        digest.update(f"{submission.path}\n{content_hash(submission)}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _bucket(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()[:8], "big")


def _directories(source: Path) -> list[Path]:
    """Return the children that hold records/, else every records/TRACK/FOLDER, else the children or the source."""
    children = sorted(path for path in source.iterdir() if path.is_dir() and not path.is_symlink())
    shaped = [path for path in children if (path / "records").is_dir()]
    if shaped:
        return shaped
    folders = [path for path in sorted(source.glob("records/*/*")) if path.is_dir() and not path.is_symlink()]
    return folders or children or [source]
