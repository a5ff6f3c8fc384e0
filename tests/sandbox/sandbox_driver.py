"""Runs the hostile programs at one level and reports on each; as a script, for runs under another uid."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox_cases import CASES, PRELUDE

from auditor.limits import SandboxLimits
from auditor.sandbox import launch
from auditor.sandbox.request import SandboxLevel, SandboxRequest, SandboxResult
from auditor.sandbox.run import run

launch._PREFIX = f"pgolf-test-{os.getpid()}"
"""Other runs on this machine must not be taken for ours."""

LIMITS = SandboxLimits(
    wall_seconds=30.0,
    cpu_seconds=2,
    address_bytes=1_500_000_000,
    resident_bytes=300_000_000,
    processes=60,
    file_bytes=16_000_000,
    scratch_bytes=32_000_000,
    output_bytes=200_000,
    collect_files=100,
    collect_file_bytes=1_000_000,
    collect_total_bytes=2_000_000,
)


@dataclass(frozen=True)
class Host:
    """What lies outside the sandbox and must stay as it is."""

    folder: Path
    listeners: tuple[socket.socket, ...]
    victim: subprocess.Popen[bytes]

    def facts(self) -> dict[str, object]:
        tcp, udp, abstract, _ = self.listeners
        return {
            "folder": str(self.folder),
            "secret": str(self.folder / "secret"),
            "own": str(self.folder / "own"),
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "abstract": abstract.getsockname()[1:].decode(),
            "unix": str(self.folder / "socket"),
            "parent": os.getpid(),
            "victim": self.victim.pid,
        }

    def damage(self) -> list[str]:
        """Return what a program did to the host."""
        found = []
        if (self.folder / "secret").read_text() != "hunter2":
            found.append("secret changed")
        own = (self.folder / "own").stat()
        if own.st_mode & 0o777 != 0o600 or own.st_mtime == 1 or own.st_nlink != 1 or own.st_size != 4:
            found.append("metadata changed")
        if self.victim.poll() is not None:
            found.append("victim killed")
        for listener in self.listeners:
            try:
                listener.recv(1) if listener.type == socket.SOCK_DGRAM else listener.accept()
                found.append("listener reached")
            except BlockingIOError:
                continue
        return found


@contextmanager
def host() -> Iterator[Host]:
    """Set up files, listeners and a victim process of this uid."""
    folder = Path(tempfile.mkdtemp(prefix="host", dir="/var/tmp"))
    folder.chmod(0o755)
    (folder / "secret").write_text("hunter2")
    (folder / "own").write_text("mine")
    (folder / "own").chmod(0o600)
    listeners = (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    )
    places = [("127.0.0.1", 0), ("127.0.0.1", 0), f"\0sandbox-{os.getpid()}", str(folder / "socket")]
    for listener, place in zip(listeners, places, strict=True):
        listener.bind(place)
        listener.setblocking(False)
        if listener.type == socket.SOCK_STREAM:
            listener.listen()
    victim = subprocess.Popen(["/bin/sleep", "300"], env={"TOKEN": "hunter2"})
    try:
        yield Host(folder, listeners, victim)
    finally:
        victim.kill()
        victim.wait()
        for listener in listeners:
            listener.close()
        shutil.rmtree(folder)


def remains() -> list[str]:
    """Return processes and files that runs left behind; wait for those on their way out, another worker's too."""
    ends = time.monotonic() + 90
    while (found := _remains()) and time.monotonic() < ends:
        time.sleep(0.1)
    return found


def _remains() -> list[str]:
    found = [f"/dev/shm/{name}" for name in os.listdir("/dev/shm") if name.startswith(launch._PREFIX)]
    for name in os.listdir("/proc"):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes() if name.isdecimal() else b""
            parent = int(Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()[1]) if line else 0
        except (OSError, IndexError):
            continue
        if b'h.pop("modules")' in line and parent in (1, os.getpid()):
            found.append(f"process {name}")
    return found


def judge(name: str, level: SandboxLevel, outside: Host) -> list[str]:
    """Run one program; return what it reached, [] when it was contained."""
    case = CASES[name]
    request = SandboxRequest(
        code=(PRELUDE + case.source).encode(),
        name=name,
        argv=(json.dumps(outside.facts()),),
        writable=case.writable,
        collect=case.collect,
        limits=replace(LIMITS, wall_seconds=3.0) if "wall time" in case.stops else LIMITS,
    )
    result = run(request, level)
    return [*_breaches(case.stops, result), *outside.damage()]


def judge_all(level: SandboxLevel, names: list[str]) -> dict[str, list[str]]:
    """Run every program, a few at a time; the entry "remains" holds what they left behind together."""
    with host() as outside, ThreadPoolExecutor(3) as pool:
        found = dict(zip(names, pool.map(lambda name: judge(name, level, outside), names), strict=True))
    return found | {"remains": remains()}


def _breaches(stops: tuple[str, ...], result: SandboxResult) -> list[str]:
    ended = result.stopped or (f"signal {result.signal}" if result.signal else "")
    found = [f"unbounded: {result.seconds:.1f} s"] if result.seconds > 40 else []
    if sum(len(item.data or b"") for item in result.files) > LIMITS.collect_total_bytes:
        found.append("too much collected")
    found += [f"collected a host file: {item.path}" for item in result.files if item.data and b"root:" in item.data]
    if ended:
        return found + ([] if ended in stops else [f"ended by {ended}: {result.stderr[-300:]!r}"])
    if result.report and len(result.report) < LIMITS.output_bytes:
        reached = json.loads(result.report)
        return found + list(reached)
    return [*found, f"no report, exit {result.exit_code}: {result.stderr[-500:]!r}"]


def main(level: str, names: list[str]) -> None:
    """Print a JSON object: program -> breaches."""
    signal.alarm(300)
    print(json.dumps(judge_all(SandboxLevel[level], names or list(CASES))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
