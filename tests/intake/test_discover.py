"""Every submission of a directory is found and named; hostile entries become entries of their kind, never crashes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from auditor.errors import IntakeError
from auditor.intake.discover import discover, load
from auditor.limits import IntakeLimits
from auditor.model.submission import FileKind, Track

LIMITS = IntakeLimits()
TRACK = "records/track_10min_16mb"


def write(root: Path, path: str, data: str | bytes = "x = 1\n") -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data.encode() if isinstance(data, str) else data)
    return target


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def commit(root: Path, message: str = "x") -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)


def kinds(root: Path) -> dict[str, FileKind]:
    return {entry.path: entry.kind for entry in load(root, None, LIMITS)[0].files}


def test_a_folder_by_itself(tmp_path: Path) -> None:
    """A submission folder is one submission at "."."""
    write(tmp_path, "train_gpt.py")
    write(tmp_path, "submission.json", "{}")
    (found,) = load(tmp_path, None, LIMITS)
    assert (found.path, found.script, found.script_reason) == (".", "train_gpt.py", "the usual name")


def test_track_comes_from_the_path_above_the_root(tmp_path: Path) -> None:
    """A folder of a track knows its track when it is the root itself, and needs no marker file."""
    write(tmp_path, "records/track_non_record_16mb/a/README.md", "hello")
    (found,) = load(tmp_path / "records/track_non_record_16mb/a", None, LIMITS)
    assert found.track is Track.NON_RECORD
    assert found.script is None


def test_every_folder_of_a_tree_and_copies(tmp_path: Path) -> None:
    """All folders under records are named in order; a byte copy names its original."""
    for name in ("a", "b", "c"):
        write(tmp_path, f"{TRACK}/{name}/train_gpt.py", "x = 1\n" if name != "b" else "x = 2\n")
    write(tmp_path, "train_gpt.py")
    found = load(tmp_path, None, LIMITS)
    assert [(s.name, s.copy_of) for s in found] == [("a", None), ("b", None), ("c", f"{TRACK}/a")]
    assert {s.track for s in found} == {Track.RECORD}


def test_nested_folders(tmp_path: Path) -> None:
    """A folder inside a submission is one of its own only with both a manifest and a script."""
    write(tmp_path, f"{TRACK}/a/train_gpt.py")
    write(tmp_path, f"{TRACK}/a/old/train_gpt.py")
    write(tmp_path, f"{TRACK}/a/full/train_gpt.py")
    write(tmp_path, f"{TRACK}/a/full/submission.json", "{}")
    found = load(tmp_path, None, LIMITS)
    assert [s.path for s in found] == [f"{TRACK}/a", f"{TRACK}/a/full"]
    assert {entry.path for entry in found[0].files} == {"train_gpt.py", "old/train_gpt.py"}


def test_a_submission_that_holds_a_directory_called_records(tmp_path: Path) -> None:
    """A folder with a manifest is a submission even where it keeps a records directory of its own."""
    write(tmp_path, "submission.json", "{}")
    write(tmp_path, "train_gpt.py")
    write(tmp_path, "records/result.json", "{}")
    assert [found.path for found in load(tmp_path, None, LIMITS)] == ["."]


def test_odd_entries_keep_their_kind(tmp_path: Path) -> None:
    """Links, loops, pipes, nested repositories, empty and large files are kept and never followed or opened."""
    write(tmp_path, "train_gpt.py")
    write(tmp_path, "empty.log", b"")
    os.symlink("/etc/passwd", tmp_path / "README.md")
    os.symlink(".", tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe.log")
    write(tmp_path, "sub/.git", "gitdir: /elsewhere\n")
    big = write(tmp_path, "model.bin", b"")
    os.truncate(big, LIMITS.file_bytes + 1)
    found = kinds(tmp_path)
    assert found == {
        "train_gpt.py": FileKind.REGULAR,
        "empty.log": FileKind.REGULAR,
        "README.md": FileKind.SYMLINK,
        "loop": FileKind.SYMLINK,
        "pipe.log": FileKind.SPECIAL,
        "sub/.git": FileKind.GITLINK,
        "model.bin": FileKind.OVERSIZE,
    }


def test_linked_folder_is_named(tmp_path: Path) -> None:
    """A link where a submission folder would stand is a submission without a script, not followed."""
    write(tmp_path, f"{TRACK}/a/train_gpt.py")
    os.symlink("a", tmp_path / TRACK / "b")
    found = load(tmp_path, None, LIMITS)
    assert [(s.name, s.script) for s in found] == [("a", "train_gpt.py"), ("b", None)]
    assert found[1].files[0].kind is FileKind.SYMLINK


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """A file name that is not UTF-8 is shown with escapes and read."""
    write(tmp_path, "train_gpt.py")
    with open(os.fsencode(tmp_path) + b"/\xff.log", "wb") as stream:
        stream.write(b"log")
    entry = next(e for e in load(tmp_path, None, LIMITS)[0].files if e.path.endswith(".log"))
    assert (entry.path, entry.data) == ("\\xff.log", b"log")


@pytest.mark.parametrize("what", ["missing", "file"])
def test_roots_that_are_no_directory(tmp_path: Path, what: str) -> None:
    """A wrong path is an error with a sentence, never a traceback of another kind."""
    root = tmp_path / "missing" if what == "missing" else write(tmp_path, "train_gpt.py")
    with pytest.raises(IntakeError, match=r"no such directory|is a file"):
        load(root, None, LIMITS)


def test_empty_directory_has_no_submission(tmp_path: Path) -> None:
    """An empty directory gives no submission and no error."""
    assert discover(tmp_path, None, LIMITS).submissions == ()


def test_caps_are_reported(tmp_path: Path) -> None:
    """Too many files or too deep directories are said, not dropped silently."""
    for index in range(5):
        write(tmp_path, f"f{index}.txt")
    write(tmp_path, "a/b/c/d.txt")
    many = discover(tmp_path, None, IntakeLimits(tree_files=2)).problems
    deep = discover(tmp_path, None, IntakeLimits(tree_depth=1)).problems
    assert "more than 2 files" in many[0].message
    assert "deeper than 1" in deep[0].message


@pytest.mark.parametrize(
    ("files", "script", "reason"),
    [
        ({"train_gpt.py": "", "train_gpt_old.py": "xx"}, "train_gpt.py", "the usual name"),
        (
            {"train_a.py": "", "train_b.py": "", "submission.json": '{"script": "train_b.py"}'},
            "train_b.py",
            "submission.json",
        ),
        ({"train_a.py": "", "train_b.py": "", "README.md": "run\n torchrun --x train_b.py"}, "train_b.py", "README.md"),
        ({"run_it.py": ""}, "run_it.py", "only candidate"),
        ({"train_a.py": "", "train_b.py": "longer"}, "train_b.py", "guessed"),
        ({"submission.json": "[[[[", "notes.txt": ""}, None, "no Python file"),
    ],
)
def test_choice_of_the_script(tmp_path: Path, files: dict[str, str], script: str | None, reason: str) -> None:
    """The script is chosen by name, manifest, README or uniqueness, and the reason says which."""
    for path, text in {"submission.json": "{}", **files}.items():
        write(tmp_path, path, text)
    (found,) = load(tmp_path, None, LIMITS)
    assert found.script == script
    assert reason in found.script_reason


def test_named_script(tmp_path: Path) -> None:
    """--script wins, and a name that the folder does not hold is said."""
    write(tmp_path, "train_gpt.py")
    write(tmp_path, "other.py")
    assert load(tmp_path, None, LIMITS, "other.py")[0].script == "other.py"
    missing = load(tmp_path, None, LIMITS, "nope.py")[0]
    assert (missing.script, "nope.py" in missing.script_reason) == (None, True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one merged folder on main and a branch that adds, copies and edits."""
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, f"{TRACK}/old/train_gpt.py", "x = 1\n")
    write(tmp_path, f"{TRACK}/kept/train_gpt.py", "x = 0\n")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "pr")
    write(tmp_path, f"{TRACK}/new/train_gpt.py", "x = 3\n")
    write(tmp_path, f"{TRACK}/copy/train_gpt.py", "x = 0\n")
    write(tmp_path, f"{TRACK}/old/train_gpt.py", "x = 2\n")
    write(tmp_path, "setup.py")
    commit(tmp_path)
    return tmp_path


def test_pull_request_against_its_base(checkout: Path) -> None:
    """Only folders that the branch changes are judged; edits and copies of the base are told apart."""
    found = discover(checkout, None, LIMITS)
    assert [(s.name, s.modified, s.copy_of) for s in found.submissions] == [
        ("copy", False, f"{TRACK}/kept"),
        ("new", False, None),
        ("old", True, None),
    ]
    assert any("setup.py" in problem.message for problem in found.problems)
    assert [s.name for s in load(checkout, "main", LIMITS)] == ["copy", "new", "old"]


def test_uncommitted_folder_is_judged(checkout: Path) -> None:
    """A new folder that is not committed yet is part of the pull request."""
    write(checkout, f"{TRACK}/draft/train_gpt.py", "x = 9\n")
    assert "draft" in [s.name for s in load(checkout, None, LIMITS)]


def test_default_branch_itself_gives_every_folder(checkout: Path) -> None:
    """On the default branch nothing is added, so every folder is judged."""
    git(checkout, "checkout", "-q", "main")
    assert [s.name for s in load(checkout, None, LIMITS)] == ["kept", "old"]


@pytest.mark.parametrize("base", ["nope", "--upload-pack=x", "HEAD:records"])
def test_unknown_base_is_an_error(checkout: Path, base: str) -> None:
    """A base that is no commit is an error, options included."""
    with pytest.raises(IntakeError, match="no such commit"):
        load(checkout, base, LIMITS)


def test_base_without_git_is_an_error(tmp_path: Path) -> None:
    """--base needs a checkout."""
    write(tmp_path, "train_gpt.py")
    with pytest.raises(IntakeError, match="not the top of a git checkout"):
        load(tmp_path, "main", LIMITS)


def test_hostile_git_configuration_runs_nothing(checkout: Path) -> None:
    """fsmonitor, hooks, external diff, pager, filters and ext:: remotes of a checkout are never started."""
    marker = checkout / "ran"
    command = write(checkout, ".git/evil.sh", f"#!/bin/sh\ntouch {marker}\n")
    command.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "core.editor", "alias.ls-tree"):
        git(checkout, "config", key, str(command))
    git(checkout, "config", "filter.x.smudge", str(command))
    git(checkout, "config", "protocol.ext.allow", "always")
    git(checkout, "config", "remote.origin.url", f"ext::{command}")
    git(checkout, "config", "remote.origin.promisor", "true")
    git(checkout, "config", "extensions.partialClone", "origin")
    marker.unlink(missing_ok=True)
    names = [s.name for s in load(checkout, "main", LIMITS)]
    assert names == ["copy", "new", "old"]
    assert not marker.exists()


def test_git_directory_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    """A .git that is a symbolic link is not followed; every folder is judged."""
    write(tmp_path, f"{TRACK}/a/train_gpt.py")
    os.symlink("/", tmp_path / ".git")
    assert [s.name for s in load(tmp_path, None, LIMITS)] == ["a"]
