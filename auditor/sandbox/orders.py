"""The orders for the supervisor of a run, as plain data: what runs, how it is confined, how far it may go.

Touches nothing but the list of processes, to count the tasks that the kernel's thread limit counts too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from auditor.sandbox import argv, seccomp
from auditor.sandbox.capabilities import Capabilities
from auditor.sandbox.request import Runtime, SandboxLevel, SandboxRequest


def orders(
    request: SandboxRequest,
    level: SandboxLevel,
    able: Capabilities,
    root: str,
    chosen: Runtime,
    descriptors: Mapping[str, int],
) -> dict[str, Any]:
    """Return the supervisor's orders as JSON-ready data.

    `root` is the scratch as the child sees it, `descriptors` the write ends that it inherits, by channel.
    """
    wrapped = level == SandboxLevel.BWRAP
    return {
        "root": root,
        "report_fd": descriptors["report"],
        "actions_fd": descriptors["actions"],
        "forks": request.forks,
        "remove": not wrapped,
        "bound": wrapped,
        **_program(request, root, chosen, descriptors["report"]),
        **_confinement(request, level, able, root, chosen),
        **_bounds(request, able, wrapped),
    }


def _program(request: SandboxRequest, root: str, chosen: Runtime, report: int) -> dict[str, Any]:
    """Return what runs, with what environment and import path."""
    env = {"HOME": root, "TMPDIR": root, "SANDBOX_REPORT_FD": str(report), "PATH": "/usr/bin:/bin"}
    return {
        "cwd": request.cwd,
        "argv": list(request.argv),
        "env": {**env, **request.env},
        "entry": request.name,
        "code_bytes": len(request.code),
        "path_first": [os.path.join(root, path) for path in request.import_paths],
        "path_last": list(chosen.site),
    }


def _confinement(
    request: SandboxRequest, level: SandboxLevel, able: Capabilities, root: str, chosen: Runtime
) -> dict[str, Any]:
    """Return what the child locks itself with."""
    wrapped = level == SandboxLevel.BWRAP
    machine = seccomp.machine()
    block = seccomp.build(machine, request.forks) if machine is not None and level >= SandboxLevel.LOCK else None
    drop = {"uid": able.drop_uid, "keep_search": able.closed_to_others(chosen, wrapped)} if able.root else None
    return {
        "readable": [*argv.readable(chosen, wrapped), *([] if request.writable else [root])],
        "writable": argv.writable(wrapped, root if request.writable else None),
        "landlock": able.landlock if level >= SandboxLevel.LOCK else 0,
        "filter": block.program.hex() if block else "",
        "pid_slots": block.pid_slots if block else (),
        "drop": drop,
    }


def _bounds(request: SandboxRequest, able: Capabilities, wrapped: bool) -> dict[str, Any]:
    """Return the limits: the kernel's, the supervisor's and those of what is brought back."""
    limits = request.limits
    return {
        "rlimits": _rlimits(request, os.getuid() if able.drop_uid is None else able.drop_uid),
        "watch": {
            "wall_seconds": limits.wall_seconds,
            "resident_bytes": limits.resident_bytes,
            "processes": limits.processes,
            "scratch_bytes": limits.scratch_bytes,
        },
        "scratch_check": ("system" if wrapped else "walk") if request.writable else "none",
        "collect": list(request.collect),
        "collect_limits": {
            "files": limits.collect_files,
            "file_bytes": limits.collect_file_bytes,
            "total_bytes": limits.collect_total_bytes,
        },
    }


def _rlimits(request: SandboxRequest, uid: int) -> dict[str, int]:
    """Return the resource limits of a run by `uid`, whose other tasks the kernel counts too."""
    limits = request.limits
    return {
        "AS": limits.address_bytes,
        "NPROC": limits.processes + _tasks_of(uid),
        "CPU": limits.cpu_seconds,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "CORE": 0,
        "MEMLOCK": 0,
    }


def _tasks_of(uid: int) -> int:
    """Return how many threads `uid` has on this machine now."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    total += len(os.listdir(f"/proc/{name}/task"))
    return total
