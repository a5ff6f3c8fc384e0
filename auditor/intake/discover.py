"""From a PR directory to the submissions that it holds: find, select by git, read, choose the script, name copies.

It judges nothing; whatever is odd is carried in the result so that a rule can turn it into a finding.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from auditor.errors import IntakeError
from auditor.intake import git
from auditor.intake.folders import linked_folders, submission_folders, track_of
from auditor.intake.script import choose
from auditor.intake.tree import Entry, Reader, Tree, printable, walk
from auditor.limits import IntakeLimits
from auditor.model.submission import FileEntry, FileKind, Intake, RootProblem, Submission


def load(root: Path, base: str | None, limits: IntakeLimits, script: str | None = None) -> tuple[Submission, ...]:
    """Return every submission below `root`; see `discover` for what else is known of the root."""
    return discover(root, base, limits, script).submissions


def discover(root: Path, base: str | None, limits: IntakeLimits, script: str | None = None) -> Intake:
    """Find and read every submission of a PR directory.

    `base` is the commit to compare a git checkout with (default: the default branch), `script` the path of the
    script inside each folder. `IntakeError` where the root is no readable directory or `base` cannot be used.
    """
    top = _directory(root)
    problems: list[RootProblem] = []
    compared = git.changes(top, base, limits) if git.is_checkout(top) else None
    if base is not None and compared is None:
        raise IntakeError(f"--base {base}: {printable(str(root))} is not the top of a git checkout")
    tree = _tree(top, compared, limits)
    problems += [RootProblem(path, message) for path, message in tree.problems]
    outside = tuple(printable(part) for part in top.parts)
    folders = submission_folders(tree, outside)
    links = linked_folders(tree, outside)
    if compared is not None:
        folders = [folder for folder in folders if _changed(folder, compared)]
        links = [link for link in links if compared.before.get(link.path) != compared.after.get(link.path)]
        problems += _git_problems(compared, folders)
    found = _read(tree, folders, links, outside, limits, script)
    if compared is not None:
        found = [_with_base(submission, compared) for submission in found]
    submissions = tuple(_name_copies(sorted(found, key=lambda submission: submission.path)))
    return Intake(str(root), submissions, tuple(problems), compared.base if compared else None)


def _directory(root: Path) -> Path:
    try:
        top = root.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise IntakeError(f"{printable(str(root))}: no such directory") from error
    if not top.is_dir():
        raise IntakeError(f"{printable(str(root))} is a file; pass the folder that holds it (--script picks the file)")
    if not os.access(top, os.R_OK | os.X_OK):
        raise IntakeError(f"{printable(str(root))}: the directory cannot be read")
    return top


def _tree(top: Path, compared: git.Changes | None, limits: IntakeLimits) -> Tree:
    """Walk the records of a checkout (and changed folders elsewhere), or everything where there are no records."""
    records = top / "records"
    if not records.is_dir() or records.is_symlink() or (top / "submission.json").is_file():
        # A submission folder may hold a directory of that name of its own.
        return walk(top, limits)
    tree = Tree(directories=["records"])
    prefixes = ["records", *_outside_records(compared)]
    for prefix in prefixes:
        part = walk(top / prefix, limits)
        tree.directories += [prefix] * (prefix != "records") + [f"{prefix}/{path}" for path in part.directories]
        tree.entries += [replace(entry, path=f"{prefix}/{entry.path}") for entry in part.entries]
        tree.problems += [(prefix if path == "." else f"{prefix}/{path}", text) for path, text in part.problems]
    return tree


def _outside_records(compared: git.Changes | None) -> list[str]:
    if compared is None:
        return []
    added = {path for path in compared.after if path not in compared.before and not path.startswith("records/")}
    folders = {path.rpartition("/")[0] for path in added if path.endswith("/submission.json")}
    return sorted(folder for folder in folders if not any(folder.startswith(other + "/") for other in folders))


def _changed(folder: str, compared: git.Changes) -> bool:
    before, after = _below(folder, compared.before), _below(folder, compared.after)
    return before != after or not before


def _below(folder: str, listing: dict[str, str]) -> dict[str, str]:
    if not folder:
        return listing
    return {path: item for path, item in listing.items() if path.startswith(folder + "/")}


def _git_problems(compared: git.Changes, folders: list[str]) -> list[RootProblem]:
    problems = [RootProblem(".", compared.note)] if compared.note else []
    both = {*compared.before, *compared.after}
    changed = sorted(path for path in both if compared.before.get(path) != compared.after.get(path))
    other = [path for path in changed if not any(f == "" or path.startswith(f + "/") for f in folders)]
    if other:
        shown = ", ".join(other[:5]) + (", ..." if len(other) > 5 else "")
        problems.append(RootProblem(".", f"{len(other)} changed files stand outside every submission folder: {shown}"))
    if not folders:
        problems.append(RootProblem(".", f"no submission folder differs from {compared.base[:12]}"))
    return problems


def _read(
    tree: Tree,
    folders: list[str],
    links: list[Entry],
    outside: tuple[str, ...],
    limits: IntakeLimits,
    script: str | None,
) -> list[Submission]:
    reader = Reader(limits)
    owned: dict[str, list[FileEntry]] = {folder: [] for folder in folders}
    by_length = sorted(folders, key=len, reverse=True)
    for entry in tree.entries:
        owner = next((f for f in by_length if f == "" or entry.path.startswith(f + "/")), None)
        if owner is not None:
            owned[owner].append(reader.read(entry, entry.path[len(owner) + 1 :] if owner else entry.path))
    found = []
    for folder, files in owned.items():
        chosen, reason = choose(files, script)
        parts = (*outside, *folder.split("/")) if folder else outside
        found.append(
            Submission(folder or ".", parts[-1], track_of(parts), tuple(files), chosen, reason),
        )
    for link in links:
        parts = (*outside, *link.path.split("/"))
        content = (FileEntry(".", link.kind, link.size, detail=link.detail),)
        why = "the folder is a link and was not followed"
        found.append(Submission(link.path, parts[-1], track_of(parts), content, None, why))
    return found


def _with_base(submission: Submission, compared: git.Changes) -> Submission:
    """Add what git knows: whether the base has the folder, submodules, and copies of folders of the base."""
    before = _below(submission.path, compared.before)
    known = {entry.path for entry in submission.files}
    gone = [path for path in compared.gitlinks if path.startswith(submission.path + "/")]
    links = [path[len(submission.path) + 1 :] for path in gone]
    extra = tuple(FileEntry(p, FileKind.GITLINK, 0, detail="a submodule") for p in links if p not in known)
    copy = None if before else _copy_in_base(submission, compared.before)
    return replace(submission, files=submission.files + extra, modified=bool(before), copy_of=copy)


def _copy_in_base(submission: Submission, before: dict[str, str]) -> str | None:
    if not submission.files or any(entry.data is None for entry in submission.files):
        return None
    wide = any(len(item.rpartition(" ")[2]) == 64 for item in before.values())
    mine = {(entry.path, _blob(entry.data or b"", wide)) for entry in submission.files}
    anchor = submission.files[0].path
    for path in before:
        if path.endswith("/" + anchor):
            folder = path[: -len(anchor) - 1]
            theirs = {(p[len(folder) + 1 :], item.rpartition(" ")[2]) for p, item in _below(folder, before).items()}
            if theirs == mine:
                return folder
    return None


def _blob(data: bytes, wide: bool) -> str:
    header = b"blob %d\0" % len(data)
    return (hashlib.sha256 if wide else hashlib.sha1)(header + data).hexdigest()


def _name_copies(submissions: Iterable[Submission]) -> Iterable[Submission]:
    first: dict[tuple[tuple[str, str, str | None], ...], str] = {}
    for submission in submissions:
        key = tuple(sorted((entry.path, entry.kind.value, entry.sha256) for entry in submission.files))
        original = first.setdefault(key, submission.path) if submission.files else submission.path
        if original != submission.path and submission.copy_of is None:
            submission = replace(submission, copy_of=original)
        yield submission
