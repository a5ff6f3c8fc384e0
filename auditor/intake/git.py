"""Ask git which paths a pull request changes, without letting the checkout execute anything.

Only plumbing that reads objects is called. Everything a repository's own configuration could start (hooks, fsmonitor,
external diff, filters, lazy fetches over ext:: transports) is switched off on the command line and in the environment,
and the index and the work tree are never touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import IntakeError
from auditor.limits import IntakeLimits

_HARDENING = (
    "core.fsmonitor=",
    "core.hooksPath=/dev/null",
    "core.pager=",
    "core.attributesFile=/dev/null",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=false",
    "credential.helper=",
    "diff.external=",
    "protocol.allow=never",
    "safe.directory=*",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "log.showSignature=false",
    "maintenance.auto=false",
    "gc.auto=0",
)
_NETWORK = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE")
_DEFAULTS = (
    "refs/remotes/upstream/HEAD",
    "refs/remotes/origin/HEAD",
    "refs/remotes/upstream/main",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/heads/main",
    "refs/heads/master",
)


@dataclass(frozen=True, slots=True)
class Changes:
    """The two trees of a pull request: POSIX path -> "mode oid"."""

    base: str
    """Commit that the head is compared with."""
    before: dict[str, str]
    after: dict[str, str]
    gitlinks: tuple[str, ...]
    """Submodule entries of the head."""
    note: str = ""


def is_checkout(root: Path) -> bool:
    """Tell whether `root` is the top of a git checkout (a real .git directory or a worktree's .git file)."""
    git = root / ".git"
    return not git.is_symlink() and (git.is_dir() or git.is_file())


def changes(root: Path, base: str | None, limits: IntakeLimits) -> Changes | None:
    """Compare HEAD with the merge base of `base` (default: the default branch).

    None where no base was named and none can be found or HEAD is the base itself; `IntakeError` where a base was
    named that does not exist or git cannot be used.
    """
    head = _revision(root, "HEAD", limits)
    if head is None:
        if base is not None:
            raise IntakeError("the checkout has no HEAD commit, so --base cannot be compared with it")
        return None
    chosen = _revision(root, base, limits) if base is not None else _default_base(root, head, limits)
    if chosen is None:
        if base is not None:
            raise IntakeError(f"--base {base}: no such commit in this checkout")
        return None
    merge = _run(root, ["merge-base", chosen, head], limits)
    note = "" if merge else "no merge base is known (shallow clone?): compared with the base commit itself"
    point = merge.decode("ascii", "replace").split()[0] if merge else chosen
    if base is None and point == head:
        return None
    before, after = _listing(root, point, limits), _listing(root, head, limits)
    links = tuple(sorted(path for path, item in after.items() if item.startswith("160000 ")))
    return Changes(point, before, after, links, note)


def _default_base(root: Path, head: str, limits: IntakeLimits) -> str | None:
    for name in _DEFAULTS:
        found = _revision(root, name, limits)
        if found is not None and found != head:
            return found
    return None


def _revision(root: Path, name: str, limits: IntakeLimits) -> str | None:
    if name.startswith("-"):
        return None
    output = _run(root, ["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], limits)
    text = output.decode("ascii", "replace").strip() if output else ""
    return text if text and all(c in "0123456789abcdef" for c in text) else None


def _listing(root: Path, commit: str, limits: IntakeLimits) -> dict[str, str]:
    output = _run(root, ["ls-tree", "-r", "-z", "--full-tree", commit], limits)
    if output is None:
        raise IntakeError(f"git cannot list the tree of commit {commit[:12]}")
    listing = {}
    for record in output.split(b"\0"):
        meta, _, path = record.partition(b"\t")
        if path:
            mode, _, oid = meta.decode("ascii", "replace").split(" ", 2)
            listing[path.decode("utf-8", "backslashreplace")] = f"{mode} {oid}"
    return listing


def _run(root: Path, arguments: list[str], limits: IntakeLimits) -> bytes | None:
    """Return the output of one git command on a checkout, None where it fails."""
    return plumbing(root / ".git", arguments, limits)


def plumbing(
    git_dir: Path,
    arguments: list[str],
    limits: IntakeLimits,
    *,
    stdin: bytes = b"",
    seconds: float | None = None,
    protocols: str = "none",
) -> bytes | None:
    """Return the output of one git command, None where it fails; `IntakeError` where git cannot be used at all."""
    done = ran(git_dir, arguments, limits, stdin=stdin, seconds=seconds, protocols=protocols)
    return done.stdout if done.returncode == 0 else None


def ran(
    git_dir: Path,
    arguments: list[str],
    limits: IntakeLimits,
    *,
    stdin: bytes = b"",
    seconds: float | None = None,
    protocols: str = "none",
) -> subprocess.CompletedProcess[bytes]:
    """Return what one git command printed, and whether it failed; `IntakeError` where git cannot be used at all.

    `protocols` names the transports that it may use ("https:file"), none by default.
    """
    git = shutil.which("git")
    if git is None:
        raise IntakeError("git is not installed; without it no commit can be read")
    command = [git, "--no-pager", "--no-optional-locks", f"--git-dir={git_dir}"]
    for setting in _HARDENING:
        command += ["-c", setting]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd="/" if os.path.isdir("/") else None,
            env={**_environment(), **_network(protocols), "GIT_ALLOW_PROTOCOL": protocols},
            input=stdin,
            capture_output=True,
            timeout=seconds or limits.git_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise IntakeError(f"git {arguments[0]} could not be run: {error}") from error
    if len(done.stdout) > limits.git_output_bytes:
        raise IntakeError(f"git {arguments[0]} printed more than {limits.git_output_bytes} bytes")
    return done


def _network(protocols: str) -> dict[str, str]:
    """Return what the user's own environment says of proxies and certificates, where a transport is allowed at all."""
    return {} if protocols == "none" else {name: os.environ[name] for name in _NETWORK if name in os.environ}


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PAGER": "",
        "GIT_EXTERNAL_DIFF": "",
    }
