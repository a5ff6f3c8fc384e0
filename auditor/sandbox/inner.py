"""The supervisor inside the sandbox: places files, forks the locked child, watches it, hands results to the parent.

Runs in the child interpreter under `-S -c` from source that the parent sends, so it imports the standard library and
`lock` only. The untrusted code runs in a fork of this process that has locked itself; this process never executes a
byte of it, and opens what it left behind only after its death, without following links.
"""

from __future__ import annotations

import fnmatch
import json
import os
import signal
import site
import stat
import struct
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any

from auditor.sandbox import lock

_POLL_SECONDS = 0.01
_EVENTS = {
    "socket.connect": "network",
    "socket.bind": "network",
    "socket.getaddrinfo": "network",
    "socket.gethostbyname": "network",
    "socket.sendto": "network",
    "subprocess.Popen": "subprocess",
    "os.system": "subprocess",
    "os.exec": "subprocess",
    "os.posix_spawn": "subprocess",
    "os.spawn": "subprocess",
    "os.fork": "subprocess",
    "os.forkpty": "subprocess",
    "os.kill": "signal",
    "os.killpg": "signal",
    "ctypes.dlopen": "",
}
_REPORTED_ACTIONS = 200


def main(config: dict[str, Any], blobs: Iterator[tuple[str, bytes]], control: int) -> None:
    """Run one request in this process and write its record to the file descriptor `control`."""
    parent = os.getppid()
    if config["drop"] is not None:
        lock.drop_root(config["drop"]["uid"], config["drop"]["keep_search"])
    lock.hide_memory()
    _place(config["root"], blobs)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(control)
        _become(config, os.getppid())
        return
    for descriptor in (0, 1, 2, config["report_fd"], config["actions_fd"]):
        os.close(descriptor)
    reason, status, usage = _watch(child, config, started, parent)
    record = {
        "stopped": reason,
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "seconds": time.monotonic() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
    }
    _send(control, record, _collect(config))
    os._exit(0)


def _place(root: str, blobs: Iterator[tuple[str, bytes]]) -> None:
    """Write the request's files below the scratch `root`; their paths were checked by the parent."""
    for path, data in blobs:
        place = os.path.join(root, path)
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)


def _watch(child: int, config: dict[str, Any], started: float, parent: int) -> tuple[str | None, int, Any]:
    """Wait for the child; kill it at the first limit reached. Return (limit or None, wait status, usage)."""
    reason: str | None = None
    while True:
        done, status, usage = os.wait4(-1, os.WNOHANG)
        if done == child:
            return reason, status, usage
        if done:
            continue
        if reason is None:
            reason = _excess(child, config, started)
            if os.getppid() != parent:
                reason = "parent gone"
            if reason is not None:
                os.kill(child, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _excess(child: int, config: dict[str, Any], started: float) -> str | None:
    limits = config["watch"]
    if time.monotonic() - started > limits["wall_seconds"]:
        return "wall time"
    resident, threads = _together() if config["forks"] else _status(child)
    if resident > limits["resident_bytes"]:
        return "memory"
    if threads > limits["processes"]:
        return "threads"
    if config["measure_scratch"] and _used(config["root"]) > limits["scratch_bytes"]:
        return "scratch space"
    return None


def _status(child: int) -> tuple[int, int]:
    """Return (resident bytes, threads) of the child; zeros once it is gone."""
    resident = threads = 0
    try:
        with open(f"/proc/{child}/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmRSS:"):
                    resident = int(line.split()[1]) * 1024
                elif line.startswith(b"Threads:"):
                    threads = int(line.split()[1])
    except (OSError, ValueError):
        return 0, 0
    return resident, threads


def _together() -> tuple[int, int]:
    """Return (resident bytes, threads) of every process of the namespace but this one; shared pages count each time."""
    others = [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
    rows = [_status(process) for process in others]
    return sum(resident for resident, _ in rows), sum(threads for _, threads in rows)


def _used(root: str) -> int:
    total = 0
    for _, directories, files, descriptor in os.fwalk(root, follow_symlinks=False, onerror=None):
        total += 4096 * len(directories)
        for name in files:
            try:
                total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * 512
            except OSError:
                continue
    return total


def _collect(config: dict[str, Any]) -> list[tuple[str, bytes | None, str]]:
    """Read the wanted files below the scratch. Return (path, content, "") or (path, None, why not)."""
    wanted, limits = config["collect"], config["collect_limits"]
    found: list[tuple[str, bytes | None, str]] = []
    room = limits["total_bytes"]
    if not wanted:
        return found
    for directory, _, files, descriptor in os.fwalk(config["root"], follow_symlinks=False):
        for name in sorted(files):
            path = os.path.relpath(os.path.join(directory, name), config["root"])
            if not any(fnmatch.fnmatchcase(path, pattern) for pattern in wanted):
                continue
            if len(found) >= limits["files"]:
                return found
            data, problem = _read(name, descriptor, min(room, limits["file_bytes"]))
            room -= len(data or b"")
            found.append((path.encode("utf-8", "replace").decode(), data, problem))
    return found


def _read(name: str, directory: int, limit: int) -> tuple[bytes | None, str]:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError as error:
        return None, f"cannot be opened ({error.strerror})"
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            return None, "not a plain file"
        if facts.st_size > limit:
            return None, f"{facts.st_size} bytes, more than the {limit} allowed"
        return file.read(limit), ""


def _send(control: int, record: dict[str, Any], files: list[tuple[str, bytes | None, str]]) -> None:
    record["files"] = [[path, None if data is None else len(data), problem] for path, data, problem in files]
    header = json.dumps(record).encode()
    with os.fdopen(control, "wb") as pipe:
        pipe.write(struct.pack("<Q", len(header)) + header)
        for _, data, _ in files:
            pipe.write(data or b"")


def _become(config: dict[str, Any], supervisor: int) -> None:
    """Lock this process and run the entry script in it. Nothing above this line is reachable afterwards."""
    if config["drop"] is not None:
        lock.prctl(4, 1)
    lock.die_with(supervisor)
    os.chdir(os.path.join(config["root"], config["cwd"]))
    os.environ.clear()
    os.environ.update(config["env"])
    keep = {0, 1, 2, config["report_fd"], config["actions_fd"]}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                continue
    lock.set_limits(config["rlimits"])
    if config["landlock"]:
        lock.landlock(config["readable"], config["writable"])
    if config["filter"]:
        lock.seccomp(bytes.fromhex(config["filter"]), config["pid_slots"])
    _enter(config)


def _enter(config: dict[str, Any]) -> None:
    """Run the entry script as `__main__`, like the interpreter would."""
    name = config["entry"]
    code = config.pop("code")
    sys.argv = [name, *config["argv"]]
    stdlib = [path for path in sys.path if path]
    sys.path[:] = [*config["path_first"], *stdlib, *config["path_last"]]
    sys.dont_write_bytecode = True
    for module in [key for key in sys.modules if key == "auditor" or key.startswith("auditor.")]:
        del sys.modules[module]
    fresh = types.ModuleType("__main__")
    fresh.__dict__["__file__"] = name
    sys.modules["__main__"] = fresh
    site.setquit()
    _observe(config["actions_fd"], (config["root"], *config["readable"]))
    code_status = 0
    try:
        exec(compile(code, name, "exec", dont_inherit=True), fresh.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        traceback.print_exception(type(error), error, trace.tb_next if trace else None)
        code_status = 1
    sys.exit(code_status)


def _observe(descriptor: int, known: tuple[str, ...]) -> None:
    """Write what the script tries to do to `descriptor`, one JSON line each, as display text for the parent."""
    left = [_REPORTED_ACTIONS]
    seen: set[str] = set()
    write, dumps, kinds = os.write, json.dumps, _EVENTS
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, str) or path.startswith(known) or not path.startswith("/"):
                return
            kind = "write" if isinstance(flags, int) and flags & changing else "read"
            text = path
        elif kinds.get(event):
            kind, text = kinds[event], f"{event} {arguments!r:.200}"
        else:
            return
        line = dumps([kind, text[:300]])
        if left[0] > 0 and line not in seen:
            left[0] -= 1
            seen.add(line)
            write(descriptor, line.encode() + b"\n")

    sys.addaudithook(hook)
