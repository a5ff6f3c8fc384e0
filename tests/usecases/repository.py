"""Git repositories made on the spot, shaped like the contest's, for tests of the gate, the fleet and the snapshot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
CLEAN = FIXTURES / "legal" / "plain_chunked"
FLAGGED = FIXTURES / "violating" / "prequant_sgd_twenty_epochs"


def git(root: Path, *arguments: str) -> str:
    """Run git in `root` with a fixed identity and no configuration of this machine's user."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "t"), ("EMAIL", "t@example.org"), ("DATE", "2026-05-01T00:00:00Z"))},
    }  # fmt: skip
    done = subprocess.run(["git", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(root: Path) -> Path:
    """Make a repository with one commit on main."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    (root / "README.md").write_text("contest\n")
    return commit(root)


def commit(root: Path) -> Path:
    """Commit everything."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")
    return root


def pull(root: Path, number: int, *fixtures: Path) -> str:
    """Make refs/pull/NUMBER/head: a branch off main that adds the records of fixtures; the work tree shows it."""
    git(root, "checkout", "-q", "-b", f"branch-{number}", "main")
    for fixture in fixtures:
        shutil.copytree(fixture / "records", root / "records", dirs_exist_ok=True)
    commit(root) if fixtures else git(root, "commit", "-q", "--allow-empty", "-m", "nothing")
    git(root, "update-ref", f"refs/pull/{number}/head", "HEAD")
    return git(root, "rev-parse", "HEAD")
