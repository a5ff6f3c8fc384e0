"""The supervisor inside the sandbox: places files, forks the locked child, watches it, hands results to the parent.

Runs in the child interpreter under `-S -c` from source that the parent sends, so it imports the standard library and
`lock` only. The untrusted code runs in a fork of this process that has locked itself; this process never executes a
byte of it, and opens what it left behind only after its death, without following links.
"""

from __future__ import annotations

import fnmatch
import json
import os
import select
import signal
import site
import stat
import struct
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any, BinaryIO

from auditor.sandbox import lock

_POLL_SECONDS = 0.01
_POLL_MANY_SECONDS = 0.05
"""Between two looks at all processes of a program that forks: ten milliseconds took 3 % of a core."""
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
_NESTING = 40
"""Directories inside directories that are looked into; deeper ones count as filling the scratch."""
_SEEN = 100_000
"""Entries of the scratch that are looked at when files are collected."""


def main(config: dict[str, Any], payload: BinaryIO, control: int) -> None:
    """Run one request in this process and write its record to the file descriptor `control`.

    `payload` holds the request's files one after the other, as `config["files"]` lists them.
    """
    if config["drop"] is not None:
        lock.drop_root(config["drop"]["uid"], config["drop"]["keep_search"])
    if config["bound"]:
        lock.prctl(1, signal.SIGKILL)
    lock.hide_memory()
    with payload:
        _place(config["root"], ((path, payload.read(size)) for path, size in config["files"]))
    os.makedirs(os.path.join(config["root"], config["cwd"]), exist_ok=True)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(control)
        _become(config, os.getppid())
        return
    for descriptor in (0, 1, 2, config["report_fd"], config["actions_fd"]):
        os.close(descriptor)
    reason, status, usage = _watch(child, config, started, control)
    if reason == "parent gone" and config["remove"]:
        os.execv("/bin/rm", ["rm", "-rf", "--", config["root"]])
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


def _watch(child: int, config: dict[str, Any], started: float, control: int) -> tuple[str | None, int, Any]:
    """Wait for the child; kill it at the first limit reached. Return (limit or None, wait status, usage)."""
    reason: str | None = None
    reader = select.poll()
    reader.register(control, 0)
    while True:
        done, status, usage = os.wait4(-1, os.WNOHANG)
        if done == child:
            return reason, status, usage
        if done:
            continue
        if reason is None:
            reason = _excess(child, config, started)
            if reader.poll(0):
                reason = "parent gone"
            if reason is not None:
                os.kill(child, signal.SIGKILL)
        time.sleep(_POLL_MANY_SECONDS if config["forks"] else _POLL_SECONDS)


def _excess(child: int, config: dict[str, Any], started: float) -> str | None:
    limits = config["watch"]
    if time.monotonic() - started > limits["wall_seconds"]:
        return "wall time"
    resident, threads = _together() if config["forks"] else _status(child)
    if resident > limits["resident_bytes"]:
        return "memory"
    if threads > limits["processes"]:
        return "threads"
    if _scratch_full(config["root"], config["scratch_check"], limits["scratch_bytes"]):
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


def _scratch_full(root: str, check: str, limit: int) -> bool:
    """Tell whether the scratch holds too much. `check`: "walk" it, ask its own file "system", or "none".

    A sized tmpfs bounds bytes but not names, which take memory too.
    """
    if check == "walk":
        return _used(root, limit) > limit
    if check == "system":
        facts = os.statvfs(root)
        return (facts.f_files - facts.f_ffree) * 4096 > limit
    return False


def _entries(root: str) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """Yield (path below `root`, entry) of a tree that may be hostile; (path, None) where it nests too deeply."""
    pending = [("", 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            found = sorted(os.scandir(os.path.join(root, folder)), key=lambda entry: entry.name)
        except OSError:
            yield folder, None
            continue
        for entry in found:
            path = os.path.join(folder, entry.name)
            yield path, entry
            if entry.is_dir(follow_symlinks=False):
                if depth < _NESTING:
                    pending.append((path, depth + 1))
                else:
                    yield path, None


def _used(root: str, limit: int) -> int:
    """Return the bytes that the scratch takes up, at least one page per entry; stop counting beyond `limit`."""
    total = 0
    for _, entry in _entries(root):
        if entry is None or total > limit:
            return limit + 1
        try:
            total += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)
        except OSError:
            continue
    return total


def _collect(config: dict[str, Any]) -> list[tuple[str, bytes | None, str]]:
    """Read the wanted files below the scratch. Return (path, content, "") or (path, None, why not)."""
    wanted, limits, root = config["collect"], config["collect_limits"], config["root"]
    found: list[tuple[str, bytes | None, str]] = []
    room = limits["total_bytes"]
    for number, (path, entry) in enumerate(_entries(root) if wanted else ()):
        if number > _SEEN or len(found) >= limits["files"]:
            break
        if entry is None or entry.is_dir(follow_symlinks=False):
            continue
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in wanted):
            data, problem = _read(os.path.join(root, path), min(room, limits["file_bytes"]))
            room -= len(data or b"")
            found.append((path.encode("utf-8", "replace").decode(), data, problem))
    return found


def _read(path: str, limit: int) -> tuple[bytes | None, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
    if config["drop"] is not None and not config["forks"]:
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
    if config["landlock"] and not lock.landlock(config["readable"], config["writable"]):
        raise OSError("landlock is gone")
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
