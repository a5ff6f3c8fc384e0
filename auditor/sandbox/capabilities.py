"""What confinement this machine offers, as plain facts; `probe` finds them out by trying."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from auditor.sandbox import argv
from auditor.sandbox.request import Runtime, SandboxLevel


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The levels that work here and why better ones do not."""

    best: SandboxLevel
    root: bool
    drop_uid: int | None
    """The uid that a root run takes on, None when not root."""
    bwrap: str | None
    """Path of bubblewrap, None where there is none."""
    disable_userns: bool
    landlock: int
    """landlock version of the kernel, 0 for none."""
    seccomp: bool
    missing: tuple[str, ...]
    """Why each level above `best` is out of reach, one sentence each."""

    def label(self, level: SandboxLevel) -> str:
        """Return what a run at `level` is confined by, for reports."""
        if level == SandboxLevel.NONE:
            return "none (resource limits only)"
        parts = ["bwrap"] if level == SandboxLevel.BWRAP else []
        parts += [f"landlock({self.landlock})"] if self.landlock else []
        parts += ["seccomp"] if self.seccomp else []
        return "+".join(parts)

    def closed_to_others(self, runtime: Runtime, wrapped: bool) -> bool:
        """Return True when another uid could not reach the interpreter: it lies in a directory closed to others.

        Inside bubblewrap (`wrapped`) the directories above an exposed path are fresh and open.
        """
        return any(_closed(path, only_itself=wrapped) for path in argv.exposed(runtime))


def _closed(path: str, only_itself: bool) -> bool:
    while path != "/":
        mode = os.stat(path).st_mode
        if not mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH):
            return True
        if only_itself:
            return False
        path = os.path.dirname(path)
    return False
