"""Builds the command lines that start the supervisor, inside bubblewrap or bare. Pure: touches nothing."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from auditor.sandbox.request import Runtime

SCRATCH = "/tmp/box"
"""The scratch under bubblewrap. The whole /tmp is one bounded tmpfs; exposed paths below it are mounted over it."""

_STUB = """
import json, os, struct, sys, types
f = os.fdopen({fd}, "rb")
h = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
for n in ("auditor", "auditor.sandbox"):
    sys.modules[n] = types.ModuleType(n)
    sys.modules[n].__path__ = []
for n, s in h.pop("modules"):
    m = sys.modules[n] = types.ModuleType(n)
    setattr(sys.modules["auditor.sandbox"], n.rpartition(".")[2], m)
    exec(compile(f.read(s), "<sandbox>", "exec"), m.__dict__)
h["code"] = f.read(h["code_bytes"])
m.main(h, f, {control})
"""


def python(runtime: Runtime, payload_fd: int, control_fd: int) -> list[str]:
    """Return the command that starts the supervisor, which reads its orders from `payload_fd`.

    `-S` keeps .pth files of the exposed packages from running before the lock; the environment is empty by then.
    """
    stub = _STUB.format(fd=payload_fd, control=control_fd)
    return [runtime.executable, "-s", "-S", "-B", "-X", "utf8", "-c", stub]


def bubblewrap(bwrap: str, runtime: Runtime, scratch_bytes: int, root: bool, nested: bool) -> list[str]:
    """Return the bubblewrap prefix for a run.

    `root`: started as root, which needs no user namespace; the supervisor drops the uid itself. `nested`: this
    bubblewrap knows --disable-userns. The caller must start it with an empty environment: bubblewrap's own
    /proc/1/environ is readable from inside.
    """
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if root:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        command += ["--cap-add", "CAP_DAC_READ_SEARCH"]
    else:
        command += ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
        command += ["--disable-userns"] if nested else []
    command += ["--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox"]
    command += ["--perms", "0777", "--size", str(scratch_bytes), "--tmpfs", "/tmp"]
    command += ["--perms", "0777", "--dir", SCRATCH]
    for path in exposed(runtime):
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            command += ["--perms", "0755", "--dir", str(parent)]
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind", path, path]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "1777", "--size", str(16 << 20), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    for name, value in environment(runtime).items():
        command += ["--setenv", name, value]
    return [*command, "--remount-ro", "/", "--chdir", "/", "--"]


def environment(runtime: Runtime) -> dict[str, str]:
    """Return what the interpreter itself has to find in its environment; nothing here comes from a submission."""
    loader = {"LD_LIBRARY_PATH": runtime.loader_path} if runtime.loader_path else {}
    return {"PYTHONHASHSEED": "0", **loader}


def exposed(runtime: Runtime) -> list[str]:
    """Return the host paths that a run may read: interpreter, libraries and packages, parents before children."""
    return sorted({runtime.executable, *runtime.libraries, *runtime.site})


def readable(runtime: Runtime, wrapped: bool) -> list[str]:
    """Return what landlock lets the child read beside its scratch; `wrapped` when inside bubblewrap."""
    system = ["/proc"] if wrapped else ["/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"]
    return [*exposed(runtime), *system, "/dev/urandom", "/dev/zero"]


def writable(wrapped: bool, root: str | None) -> list[str]:
    """Return what landlock lets the child write; `root` is the scratch where that is writable."""
    if root is None:
        return ["/dev/null"]
    return ["/dev/null", "/dev/shm", "/tmp"] if wrapped else ["/dev/null", root]
