"""What is asked of the sandbox and what comes back. No behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from auditor.limits import SandboxLimits


class SandboxLevel(IntEnum):
    """How well a run is confined, weakest first."""

    NONE = 0
    """Resource limits only: no protection of files, network or other processes."""
    LOCK = 1
    """landlock + system call filter, applied by the child to itself before it runs anything."""
    BWRAP = 2
    """The lock inside bubblewrap: own process, network, mount and IPC namespaces, scratch on a sized tmpfs."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter and what it needs to run; the sandbox exposes nothing else of the host, and this read-only."""

    executable: str
    """The base interpreter, links resolved (not the launcher of a virtual environment)."""
    version: str
    libraries: tuple[str, ...]
    """Directories of the standard library and of shared libraries."""
    site: tuple[str, ...]
    """site-packages directories; .pth files in them are not processed."""
    loader_path: str = ""
    """Directory of the interpreter's own shared library where the loader has to be told, as LD_LIBRARY_PATH."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How the parent talks with a program while it runs. Without one its standard input is empty."""

    stdin: int
    """Read end of a pipe: the program's standard input. The caller keeps, and closes, both ends."""
    received: Callable[[bytes], None]
    """Called with what the program writes to its report channel, in the thread that runs the request."""
    abandoned: Callable[[], bool]
    """Asked about once a second; True ends the run."""


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """One run of one untrusted program.

    `code` is executed as `__main__` in the interpreter of `runtime` (None: the one that runs pgolf). Paths of `files`,
    `cwd` and `import_paths` are relative to the scratch; absolute or climbing ones are refused with ValueError.
    """

    code: bytes
    name: str = "<entry>"
    argv: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Everything the program sees in its environment beside HOME, TMPDIR and SANDBOX_REPORT_FD."""
    import_paths: tuple[str, ...] = ()
    """Prepended to `sys.path`."""
    writable: bool = False
    """True makes the scratch writable. Without bubblewrap its size is then only watched, not bounded by the kernel."""
    collect: tuple[str, ...] = ()
    """Glob patterns of files below the scratch to bring back when the program has ended or was stopped."""
    runtime: Runtime | None = None
    forks: bool = False
    """True lets the program fork; `limits.processes` then bounds threads of all its processes, `resident_bytes` their
    memory together. Needs bubblewrap, whose process namespace ends them all; nothing else can be executed even so."""
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    dialogue: Dialogue | None = None


@dataclass(frozen=True, slots=True)
class CollectedFile:
    """A file brought back from the scratch; `data` None where it was not, with the reason in `problem`."""

    path: str
    data: bytes | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the program tried and the sandbox refuses, as its own process told it: display text."""

    kind: str
    """network, subprocess, signal, read or write."""
    text: str


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """What the parent knows of a finished run. Bytes and `actions` come from the program: never trust them."""

    level: SandboxLevel
    label: str
    """The confinement reached, e.g. "bwrap+landlock(7)+seccomp"."""
    exit_code: int | None
    """None when it was ended by a signal or never ended by itself."""
    signal: int | None
    stopped: str | None
    """Which limit ended the run, or None: "wall time", "cpu time", "memory", "threads", "scratch space", "output" or
    "abandoned"."""
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    stdout: bytes = b""
    stderr: bytes = b""
    report: bytes = b""
    """What the program wrote to the descriptor named by SANDBOX_REPORT_FD; empty where a dialogue took it."""
    files: tuple[CollectedFile, ...] = ()
    actions: tuple[Action, ...] = ()

    @property
    def succeeded(self) -> bool:
        """True when the program ended by itself with exit code 0; says nothing about what it did."""
        return self.stopped is None and self.exit_code == 0
