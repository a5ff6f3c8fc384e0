"""Pull requests straight from a repository's objects: no checkout, no hooks, no filters, no submodules.

What a pull request changes is written as plain files below a directory that the caller owns, in the shape of a PR
directory, and read from there like any other. Links are made as links, which the reader never follows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import IntakeError
from auditor.intake.git import plumbing, ran
from auditor.limits import IntakeLimits

_PULL = re.compile(r"refs/pull/(\d+)/head")
_MAINS = ("refs/heads/main", "refs/remotes/origin/main", "refs/heads/master", "HEAD")


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull request of a repository."""

    number: int
    head: str
    """Commit id."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was written for one pull request."""

    head: str
    base: str
    outside: tuple[str, ...]
    """Changed paths that belong to no submission folder; they were not written."""


@dataclass(frozen=True, slots=True)
class _Blob:
    mode: str
    oid: str
    path: str


def git_dir_of(path: Path) -> Path | None:
    """Return the git directory of a checkout or of a bare repository, None where `path` is neither."""
    if (path / ".git").exists():
        return path / ".git"
    if (path / "HEAD").is_file() and (path / "objects").is_dir():
        return path
    return None


def head_of(root: Path, limits: IntakeLimits) -> str | None:
    """Return the commit that a checkout stands at, None where `root` is no checkout or has none."""
    git_dir = git_dir_of(root)
    return None if git_dir is None else _commit(git_dir.resolve(), "HEAD", limits)


def pulls(git_dir: Path, limits: IntakeLimits) -> tuple[Pull, ...]:
    """Return every refs/pull/N/head, by number."""
    output = plumbing(git_dir, ["for-each-ref", "--format=%(objectname) %(refname)", "refs/pull"], limits) or b""
    found = []
    for row in output.decode("ascii", "replace").splitlines():
        head, _, name = row.partition(" ")
        match = _PULL.fullmatch(name)
        if match:
            found.append(Pull(int(match[1]), head))
    return tuple(sorted(found, key=lambda pull: pull.number))


def fetch(source: str, number: int, into: Path, limits: IntakeLimits) -> Path:
    """Fetch a pull request and the default branch of a repository into a fresh bare one below `into`.

    `source` is an https URL or a local path. `IntakeError` where git cannot fetch it.
    """
    bare = into / "fetched.git"
    if plumbing(bare, ["init", "--quiet", "--bare", str(bare)], limits) is None:
        raise IntakeError("git cannot make a repository in the temporary directory")
    wanted = [f"+refs/pull/{number}/head:refs/pull/{number}/head", "+HEAD:refs/heads/main"]
    options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"]
    command = ["fetch", *options, "--", source, *wanted]
    done = ran(bare, command, limits, seconds=limits.fetch_seconds, protocols="https:file")
    if done.returncode != 0:
        raise IntakeError(f"git cannot fetch pull request {number} from {source}: {complaint(done.stderr)}")
    return bare


def complaint(stderr: bytes) -> str:
    """Return git's own reason, which what it talked to may have worded: one line, printable, short."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), "it gave no reason")
    return "".join(c if c.isprintable() else "?" for c in said)[:200]


def extract(git_dir: Path, number: int, target: Path, limits: IntakeLimits) -> Extracted:
    """Write the submission folders that a pull request touches below `target`, whole, as they stand at its head.

    `IntakeError` where there is no such pull request, no default branch, or no common ancestor.
    """
    head = _commit(git_dir, f"refs/pull/{number}/head", limits)
    if head is None:
        raise IntakeError(f"there is no pull request {number} here (refs/pull/{number}/head)")
    main = next((found for name in _MAINS if (found := _commit(git_dir, name, limits))), None)
    base = None if main is None else _base(git_dir, main, head, limits)
    if base is None:
        raise IntakeError(f"pull request {number} shares no commit with the default branch")
    changed = _changed(git_dir, base, head, limits)
    folders = _folders(changed)
    outside = tuple(path for path in changed if not any(path.startswith(f"{folder}/") for folder in folders))
    if folders:
        _write(git_dir, list(_listing(git_dir, head, folders, limits)), target, limits)
    return Extracted(head, base, outside)


def _commit(git_dir: Path, name: str, limits: IntakeLimits) -> str | None:
    output = plumbing(git_dir, ["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], limits)
    return output.decode("ascii", "replace").strip() if output else None


def _base(git_dir: Path, main: str, head: str, limits: IntakeLimits) -> str | None:
    """Return the commit that a pull request started from, also where it has been merged since."""
    base = _merge_base(git_dir, main, head, limits)
    if base != head:
        return base
    span = ["log", "--first-parent", "--merges", "--ancestry-path", "--format=%P", f"{head}..{main}"]
    merges = (plumbing(git_dir, span, limits) or b"").decode("ascii", "replace").split("\n")
    parents = [row.split() for row in merges if row.strip()]
    return _merge_base(git_dir, parents[-1][0], head, limits) if parents else None


def _merge_base(git_dir: Path, one: str, other: str, limits: IntakeLimits) -> str | None:
    output = plumbing(git_dir, ["merge-base", one, other], limits)
    return output.decode("ascii", "replace").split()[0] if output else None


def _changed(git_dir: Path, base: str, head: str, limits: IntakeLimits) -> list[str]:
    """Return the paths that differ and still exist at the head."""
    options = ["-r", "-z", "--no-renames", "--name-only", "--diff-filter=AMT"]
    output = plumbing(git_dir, ["diff-tree", *options, base, head], limits) or b""
    return [_text(path) for path in output.split(b"\0") if path]


def _folders(changed: Iterable[str]) -> list[str]:
    """Return the folders to read: records/TRACK/FOLDER, records/FOLDER, and whatever else holds a submission.json."""
    found: set[str] = set()
    for path in changed:
        parts = path.split("/")
        if parts[0] == "records" and len(parts) > 3:
            found.add("/".join(parts[:3]))
        elif parts[0] == "records" and len(parts) == 3 and not parts[1].startswith("track"):
            found.add("/".join(parts[:2]))
        elif parts[0] != "records" and len(parts) > 1 and parts[-1] == "submission.json":
            found.add("/".join(parts[:-1]))
    return sorted(found)


def _listing(git_dir: Path, head: str, folders: Iterable[str], limits: IntakeLimits) -> Iterator[_Blob]:
    output = plumbing(git_dir, ["ls-tree", "-r", "-z", "--full-tree", head, "--", *folders], limits) or b""
    for record in output.split(b"\0"):
        meta, _, path = record.partition(b"\t")
        if path:
            mode, _, oid = meta.decode("ascii", "replace").split(" ", 2)
            yield _Blob(mode, oid, _text(path))


def _write(git_dir: Path, blobs: list[_Blob], target: Path, limits: IntakeLimits) -> None:
    sizes = _sizes(git_dir, blobs, limits)
    small = [blob for blob in blobs[: limits.tree_files] if blob.mode != "160000" and blob.oid in sizes]
    for batch in _batches(small, sizes, limits):
        contents = _contents(git_dir, [blob for blob in batch if sizes[blob.oid] <= limits.file_bytes], limits)
        for blob in batch:
            _write_one(target, blob, contents.get(blob.oid), sizes[blob.oid])
    for blob in blobs:
        if blob.mode == "160000":
            _place(target, f"{blob.path}/.git").touch()


def _write_one(target: Path, blob: _Blob, data: bytes | None, size: int) -> None:
    place = _place(target, blob.path)
    if blob.mode == "120000" and data is not None:
        os.symlink(data[:4096] or b"?", place)
        return
    with place.open("xb") as file:
        if data is None:
            file.truncate(size)
        else:
            file.write(data)


def _place(target: Path, path: str) -> Path:
    """Return where a path of a tree goes. Git allows no "..", but this is what keeps a forged tree inside."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise IntakeError(f"the tree holds a path that leaves it: {path!r}")
    place = target.joinpath(*parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise IntakeError(f"the tree holds a path below a link: {path!r}")
    return place


def _sizes(git_dir: Path, blobs: list[_Blob], limits: IntakeLimits) -> dict[str, int]:
    wanted = "".join(f"{blob.oid}\n" for blob in blobs).encode("ascii")
    output = plumbing(git_dir, ["cat-file", "--batch-check"], limits, stdin=wanted) or b""
    rows = (row.split() for row in output.decode("ascii", "replace").splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[1] == "blob"}


def _batches(blobs: list[_Blob], sizes: dict[str, int], limits: IntakeLimits) -> Iterator[list[_Blob]]:
    """Group blobs so that one answer of git stays below the cap on its output."""
    batch: list[_Blob] = []
    room = limits.git_output_bytes // 2
    for blob in blobs:
        size = min(sizes[blob.oid], limits.file_bytes)
        if batch and size > room:
            yield batch
            batch, room = [], limits.git_output_bytes // 2
        batch.append(blob)
        room -= size
    if batch:
        yield batch


def _contents(git_dir: Path, blobs: list[_Blob], limits: IntakeLimits) -> dict[str, bytes]:
    wanted = "".join(f"{blob.oid}\n" for blob in blobs).encode("ascii")
    output = plumbing(git_dir, ["cat-file", "--batch"], limits, stdin=wanted) or b""
    contents: dict[str, bytes] = {}
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        row = output[at:end].split()
        at = end + 1
        if len(row) == 3:
            size = int(row[2])
            contents[row[0].decode("ascii")] = output[at : at + size]
            at += size + 1
    return contents


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
