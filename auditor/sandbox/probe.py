"""Finds out what confinement works on this machine, by running a canary at each level and believing only its result.

A level counts when the canary runs and everything that it must not reach is out of its reach.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from dataclasses import replace

from auditor.errors import SandboxUnavailable
from auditor.limits import SandboxLimits
from auditor.sandbox import seccomp
from auditor.sandbox.capabilities import Capabilities
from auditor.sandbox.launch import execute
from auditor.sandbox.request import SandboxLevel, SandboxRequest

_DROP_UID = 60577
"""A uid that Debian's policy leaves unassigned, so that the thread limit counts the sandbox alone."""
_CANARY = b"""
import os, socket
failures = []
def must_fail(name, action):
    try:
        action()
    except OSError:
        return
    failures.append(name)
must_fail("host file", lambda: open("/etc/passwd").close())
must_fail("socket", lambda: socket.socket().connect(("127.0.0.1", 9)))
must_fail("fork", lambda: os.fork() or os._exit(0))
must_fail("exec", lambda: os.execv("/bin/true", ["true"]))
must_fail("write", lambda: open("/canary", "w").close())
must_fail("signal", lambda: os.kill(os.getppid(), 0))
must_fail("namespace", lambda: open("/proc/self/uid_map", "w").close())
os.write(int(os.environ["SANDBOX_REPORT_FD"]), repr(failures).encode())
"""
_LIMITS = SandboxLimits(wall_seconds=15.0, cpu_seconds=10)


@functools.lru_cache(maxsize=1)
def probe() -> Capabilities:
    """Return what works here; tried once per process (about 0.2 s)."""
    if sys.platform != "linux":
        return Capabilities(SandboxLevel.NONE, False, None, None, False, 0, False, ("the sandbox needs Linux",))
    from auditor.sandbox import lock

    bwrap = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    root = os.geteuid() == 0
    able = Capabilities(
        best=SandboxLevel.NONE,
        root=root,
        drop_uid=_usable_uid() if root else None,
        bwrap=bwrap,
        disable_userns=bwrap is not None and _knows_disable_userns(bwrap),
        landlock=lock.landlock_abi(),
        seccomp=seccomp.machine() is not None,
        missing=(),
    )
    missing: list[str] = []
    for level in (SandboxLevel.BWRAP, SandboxLevel.LOCK):
        problem = _trial(level, able)
        if problem is None:
            return replace(able, best=level, missing=tuple(missing))
        missing.append(f"{level.name}: {problem}")
    return replace(able, missing=tuple(missing))


def _trial(level: SandboxLevel, able: Capabilities) -> str | None:
    """Return why `level` does not work here, None when it does."""
    if not able.seccomp:
        return "no system call filter for this processor"
    if level == SandboxLevel.BWRAP and able.bwrap is None:
        return "bubblewrap is not installed"
    if level == SandboxLevel.LOCK and not able.landlock:
        return "the kernel has no landlock"
    try:
        result = execute(SandboxRequest(_CANARY, name="canary", limits=_LIMITS), level, able)
    except SandboxUnavailable as error:
        return str(error)
    if result.exit_code != 0:
        return f"the canary failed: {result.stderr.decode('utf-8', 'replace').strip()[-300:]}"
    if result.report != b"[]":
        return f"the canary reached {result.report.decode('utf-8', 'replace')[:100]}"
    return None


def _usable_uid() -> int:
    """Return the uid that a root run takes on: 65534 where the user namespace maps few uids."""
    try:
        with open("/proc/self/uid_map") as file:
            spans = [[int(word) for word in line.split()] for line in file]
    except (OSError, ValueError):
        return 65534
    return _DROP_UID if any(start <= _DROP_UID < start + count for start, _, count in spans) else 65534


def _knows_disable_userns(bwrap: str) -> bool:
    try:
        text = subprocess.run([bwrap, "--help"], capture_output=True, timeout=10, env={}, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return b"--disable-userns" in text.stdout + text.stderr
