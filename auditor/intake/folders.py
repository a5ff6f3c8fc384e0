"""Say which directories of a tree are submissions. Names and places only: nothing is opened here."""

from __future__ import annotations

import re
from collections import defaultdict

from auditor.intake.tree import Entry, Tree
from auditor.model.submission import FileKind, Track

_TRAINER = re.compile(r"train(_gpt)?\w*\.py", re.IGNORECASE)
_MANIFEST = "submission.json"


def track_of(parts: tuple[str, ...]) -> Track:
    """Return the leaderboard that a folder's path names, the innermost where it names several."""
    for part in reversed(parts):
        if part.startswith("track"):
            if "non" in part and "record" in part:
                return Track.NON_RECORD
            return Track.RECORD if "10min" in part else Track.UNKNOWN
    return Track.UNKNOWN


def submission_folders(tree: Tree, outside: tuple[str, ...]) -> list[str]:
    """Return the POSIX paths of the submission folders ("" for the root itself), sorted.

    `outside` holds the names of the directories above the root, outermost first, so that a root that is itself a
    folder of a track is recognised. A child of a track directory is a submission whatever it holds; elsewhere a
    folder is one when it holds submission.json or a training script. Inside a submission a folder is one of its own
    only when it holds both.
    """
    direct: dict[str, list[Entry]] = defaultdict(list)
    for entry in tree.entries:
        direct[_parent(entry.path)].append(entry)
    holders = {_parent(path) for path in [*tree.directories, *direct] if path.rsplit("/", 1)[-1] == "records"}
    found: list[str] = []
    for folder in sorted({"", *tree.directories}, key=lambda path: (path.count("/") if path else -1, path)):
        names = {entry.path.rsplit("/", 1)[-1] for entry in direct.get(folder, ())}
        manifest = _MANIFEST in names
        trainer = any(_TRAINER.fullmatch(name) for name in names)
        if any(_inside(folder, parent) for parent in found):
            if manifest and trainer:
                found.append(folder)
        elif (
            manifest or (trainer and folder not in holders) or (_track_child(folder, outside) and folder not in holders)
        ):
            found.append(folder)
    return sorted(folder for folder in found if not _only_holds_others(folder, found, direct))


def linked_folders(tree: Tree, outside: tuple[str, ...]) -> list[Entry]:
    """Return links and gitlinks that stand where a submission folder would: children of a track directory."""
    odd = (FileKind.SYMLINK, FileKind.GITLINK)
    return [entry for entry in tree.entries if entry.kind in odd and _track_child(entry.path, outside)]


def _track_child(folder: str, outside: tuple[str, ...]) -> bool:
    parts = (*outside, *folder.split("/")) if folder else outside
    return len(parts) >= 3 and parts[-2].startswith("track") and parts[-3] == "records" and parts[-1] != "records"


def _only_holds_others(folder: str, found: list[str], direct: dict[str, list[Entry]]) -> bool:
    """A track child without a script or a manifest whose sub-folders are submissions is only their parent."""
    if not any(_inside(other, folder) for other in found if other != folder):
        return False
    names = {entry.path.rsplit("/", 1)[-1] for entry in direct.get(folder, ())}
    return _MANIFEST not in names and not any(name.endswith((".py", ".log")) for name in names)


def _inside(path: str, folder: str) -> bool:
    return folder == "" or path.startswith(folder + "/")


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0] if "/" in path else ""
