"""Starts one sandboxed process and brings back what the parent itself observed, plus bounded untrusted bytes.

The parent parses nothing that the program wrote except the supervisor's record, which the program cannot reach.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import SandboxUnavailable
from auditor.sandbox import argv, runtime
from auditor.sandbox.capabilities import Capabilities
from auditor.sandbox.orders import orders
from auditor.sandbox.pump import Pump
from auditor.sandbox.request import Action, CollectedFile, SandboxLevel, SandboxRequest, SandboxResult

_CHANNELS = ("stdout", "stderr", "report", "actions")
_INNER = ("lock", "inner")
_PREFIX = "pgolf"


@dataclass(frozen=True, slots=True)
class _Pipes:
    """Read and write ends by channel name."""

    read: dict[str, int]
    write: dict[str, int]

    def close(self, ends: dict[str, int]) -> None:
        for name in list(ends):
            os.close(ends.pop(name))


@contextlib.contextmanager
def _scratch(level: SandboxLevel, drop_uid: int | None) -> Iterator[str]:
    """Yield the scratch root; outside bubblewrap a fresh private directory in memory, removed afterwards."""
    if level == SandboxLevel.BWRAP:
        yield argv.SCRATCH
        return
    root = _fresh_directory()
    try:
        if drop_uid is not None:
            os.chown(root, drop_uid, drop_uid)
        yield root
    finally:
        _remove(root)


def _remove(root: str) -> None:
    """Remove a tree that may nest deeper than Python can recurse or paths can name."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(root, ignore_errors=True)
    if os.path.lexists(root):
        subprocess.run(["/bin/rm", "-rf", "--", root], env={}, cwd="/", stderr=subprocess.DEVNULL, check=False)


def _fresh_directory() -> str:
    """Make a private directory, under the first free of a few fixed names: equal runs see equal paths."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    for slot in range(1000):
        path = f"{parent}/{_PREFIX}-{os.getuid()}-{slot}"
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return path
    raise SandboxUnavailable(f"no free scratch directory below {parent}")


def execute(request: SandboxRequest, level: SandboxLevel, able: Capabilities) -> SandboxResult:
    """Run `request` at `level`; `run.run` is the public way in and chooses both.

    Raise SandboxUnavailable when the supervisor does not start or ends without a record.
    """
    with _scratch(level, able.drop_uid) as root:
        return _execute(request, level, able, root)


def _execute(request: SandboxRequest, level: SandboxLevel, able: Capabilities, root: str) -> SandboxResult:
    chosen = request.runtime or runtime.describe()
    pipes = _pipes()
    payload = _payload(orders(request, level, able, root, chosen, pipes.write), request)
    try:
        command = argv.python(chosen, payload, pipes.write["control"])
        if level == SandboxLevel.BWRAP:
            size = request.limits.scratch_bytes + (1 << 20)
            assert able.bwrap is not None
            command = argv.bubblewrap(able.bwrap, chosen, size, able.root, able.disable_userns) + command
        keep = [payload, *(pipes.write[name] for name in ("report", "actions", "control"))]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if request.dialogue is None else request.dialogue.stdin,
            stdout=pipes.write["stdout"],
            stderr=pipes.write["stderr"],
            pass_fds=keep,
            env={} if level == SandboxLevel.BWRAP else argv.environment(chosen),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        pipes.close(pipes.read)
        raise SandboxUnavailable(f"the sandbox does not start: {error}") from error
    finally:
        os.close(payload)
        pipes.close(pipes.write)
    pump = Pump(pipes.read, _caps(request), request.dialogue)
    try:
        overflow = pump.drain(request.limits.wall_seconds + request.limits.grace_seconds)
    finally:
        _end(process)
        pump.settle()
        pipes.close(pipes.read)
    return _result(request, able.label(level), level, pump, overflow)


def _pipes() -> _Pipes:
    read: dict[str, int] = {}
    write: dict[str, int] = {}
    for name in (*_CHANNELS, "control"):
        read[name], write[name] = os.pipe()
    return _Pipes(read, write)


def _caps(request: SandboxRequest) -> dict[str, int]:
    limits = request.limits
    caps = dict.fromkeys(_CHANNELS, limits.output_bytes)
    return caps | {"control": limits.collect_total_bytes + 1024 * limits.collect_files + (1 << 20)}


def _payload(config: dict[str, Any], request: SandboxRequest) -> int:
    """Write orders, supervisor source and files to an anonymous file in memory and return its descriptor."""
    here = Path(__file__).parent
    modules = [(f"auditor.sandbox.{name}", (here / f"{name}.py").read_bytes()) for name in _INNER]
    header = json.dumps(
        {
            **config,
            "modules": [[name, len(source)] for name, source in modules],
            "files": [[path, len(data)] for path, data in request.files.items()],
        }
    ).encode()
    descriptor = os.memfd_create("sandbox")
    with io.FileIO(descriptor, "w", closefd=False) as raw, io.BufferedWriter(raw) as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _, source in modules:
            file.write(source)
        file.write(request.code)
        for data in request.files.values():
            file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole process group and reap its leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _result(
    request: SandboxRequest, label: str, level: SandboxLevel, pump: Pump, overflow: str | None
) -> SandboxResult:
    record, files = _parse_record(pump.data["control"])
    if record is None and overflow is None:
        note = pump.data["stderr"].decode("utf-8", "replace").strip()[-300:]
        raise SandboxUnavailable(f"the sandbox ended without a record: {note or 'no output'}")
    record = record or {}
    stopped = "output" if overflow in _CHANNELS else overflow or record.get("stopped")
    killed = record.get("signal")
    if (
        stopped is None
        and killed in (signal.SIGKILL, signal.SIGXCPU)
        and record["cpu"] >= request.limits.cpu_seconds - 1
    ):
        stopped = "cpu time"
    return SandboxResult(
        level=level,
        label=label,
        exit_code=record.get("exit"),
        signal=killed,
        stopped=stopped,
        seconds=record.get("seconds", pump.seconds),
        cpu_seconds=record.get("cpu", 0.0),
        peak_bytes=record.get("peak", 0),
        stdout=bytes(pump.data["stdout"]),
        stderr=bytes(pump.data["stderr"]),
        report=bytes(pump.data["report"]),
        files=files,
        actions=_parse_actions(pump.data["actions"]),
    )


def _parse_record(data: bytearray) -> tuple[dict[str, Any] | None, tuple[CollectedFile, ...]]:
    if len(data) < 8:
        return None, ()
    (size,) = struct.unpack_from("<Q", data)
    if len(data) < 8 + size:
        return None, ()
    record: dict[str, Any] = json.loads(data[8 : 8 + size])
    position, files = 8 + size, []
    for path, length, problem in record["files"]:
        content = None if length is None else bytes(data[position : position + length])
        position += length or 0
        files.append(CollectedFile(path, content, problem))
    return record, tuple(files)


def _parse_actions(data: bytearray) -> tuple[Action, ...]:
    actions = []
    for line in data.splitlines()[:200]:
        try:
            kind, text = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(kind, str) and isinstance(text, str):
            actions.append(Action(kind[:20], text[:300]))
    return tuple(actions)
