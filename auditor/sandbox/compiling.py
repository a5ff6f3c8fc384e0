"""Compiles C of a submission into a shared library, apart from what runs it.

The compiler reads untrusted text and executes nothing of it. It gets a namespace of its own in which there is the
compiler, read-only, and a bounded scratch: no network, no file of the user's, no other process. The library goes back
as bytes, and is only ever loaded by what runs in the sandbox already.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from auditor.limits import CompileLimits
from auditor.sandbox import seccomp
from auditor.sandbox.probe import probe

_TOOLS = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/include")
_LINKS = ("/bin", "/lib", "/lib64")
_ALLOWED = re.compile(
    r"-O\w*|-std=[\w+]+|-shared|-f(no-)?(?!plugin)[A-Za-z][A-Za-z0-9-]*|-m[\w.-]+(=[\w.-]+)?|-D\w+(=[\w.]*)?|-U\w+"
    r"|-W[a-z-]*|-g\d?|-pthread|-pipe|-s|-w|-l(m|gomp|pthread|dl|c|stdc\+\+)"
)
"""Options that name no file and no program: a compiler can be told to load and to run things."""
_NAME = re.compile(r"[\w.+-]{1,100}")
_OUT = "/tmp/library"
_BOUNDS = 'ulimit -t {seconds} && ulimit -v {kilobytes} && ulimit -f {blocks} && exec "$@"'
"""Set outside: the system call filter lets nothing inside set a limit."""
_COMPILE = '"$@" >&2 && exec cat ' + _OUT


@dataclass(frozen=True, slots=True)
class Build:
    """What is to be compiled."""

    cpp: bool
    arguments: tuple[str, ...]
    """Options, as the script gave them, without inputs and output."""
    inputs: tuple[str, ...]
    """Names of the sources to compile."""
    sources: Mapping[str, bytes] = field(default_factory=dict)
    """Sources and headers by name."""


@dataclass(frozen=True, slots=True)
class Built:
    """A shared library, or why there is none."""

    library: bytes | None
    message: str = ""


def refusal(build: Build, limits: CompileLimits) -> str | None:
    """Return why `build` is not even tried, None where it can be."""
    if "-shared" not in build.arguments:
        return "only shared libraries are built"
    unknown = [word for word in build.arguments if not _ALLOWED.fullmatch(word)]
    if unknown:
        return f"the option {unknown[0][:60]!r} is not among those that are passed on"
    names = {*build.sources}
    if not build.inputs or not names >= {*build.inputs} or not all(_NAME.fullmatch(name) for name in names):
        return "the sources are not all there"
    if any(name.startswith("-") or PurePosixPath(name).suffix not in _SUFFIXES for name in names):
        return "only sources and headers are read"
    if sum(map(len, build.sources.values())) > limits.source_bytes:
        return f"the sources have more than {limits.source_bytes} bytes"
    return None


_SUFFIXES = frozenset({".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".inc"})


def compile_library(build: Build, limits: CompileLimits | None = None) -> Built:
    """Compile `build`. Never raises for what the sources hold, or where no compiler or no bubblewrap is."""
    limits = limits or CompileLimits()
    problem = refusal(build, limits)
    if problem is not None:
        return Built(None, problem)
    able = probe()
    compiler = shutil.which("g++" if build.cpp else "gcc", path="/usr/bin")
    if compiler is None or able.bwrap is None:
        return Built(None, "there is no compiler here" if able.bwrap else "compiling needs bubblewrap")
    filter_ = _filter()
    descriptors = [_memory(data) for data in build.sources.values()]
    try:
        inside = dict(zip(build.sources, descriptors, strict=True))
        command = _confined(able.bwrap, able.root, able.disable_userns, inside, filter_, limits)
        libraries = [word for word in build.arguments if word.startswith("-l")]
        options = [word for word in build.arguments if not word.startswith("-l")]
        command += [compiler, *options, *build.inputs, "-o", _OUT, *libraries]
        return _run(command, [*descriptors, *([] if filter_ is None else [filter_])], limits)
    finally:
        for descriptor in [*descriptors, *([] if filter_ is None else [filter_])]:
            os.close(descriptor)


def _memory(data: bytes) -> int:
    descriptor = os.memfd_create("source")
    with io.FileIO(descriptor, "w", closefd=False) as file, io.BufferedWriter(file) as buffered:
        buffered.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _filter() -> int | None:
    """Return a descriptor of the system call filter, None where this machine's architecture is not known to it."""
    machine = seccomp.machine()
    return None if machine is None else _memory(seccomp.build(machine, forks=True, executes=True).program)


def _confined(
    bwrap: str, root: bool, nested: bool, sources: Mapping[str, int], filter_: int | None, limits: CompileLimits
) -> list[str]:
    """Return the command up to the compiler."""
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if not root:
        command += ["--unshare-user", "--uid", "65534", "--gid", "65534", *(["--disable-userns"] if nested else [])]
    command += ["--cap-drop", "ALL", "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    command += ["--setenv", "PATH", "/usr/bin:/bin", "--setenv", "TMPDIR", "/tmp", "--setenv", "LC_ALL", "C"]
    command += ["--perms", "0777", "--size", str(limits.scratch_bytes), "--tmpfs", "/tmp"]
    for path in _TOOLS:
        command += ["--ro-bind-try", path, path]
    for path in _LINKS:
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind-try", path, path]
    command += ["--dev", "/dev", "--remount-ro", "/dev"]
    for name, descriptor in sources.items():
        command += ["--perms", "0644", "--file", str(descriptor), f"/tmp/{name}"]
    command += ["--remount-ro", "/", "--chdir", "/tmp", *([] if filter_ is None else ["--seccomp", str(filter_)])]
    bounds = _BOUNDS.format(
        seconds=limits.seconds, kilobytes=limits.address_bytes >> 10, blocks=limits.library_bytes >> 9
    )
    return ["/bin/sh", "-c", bounds, "sh", *command, "--", "/bin/sh", "-c", _COMPILE, "sh"]


def _run(command: list[str], descriptors: list[int], limits: CompileLimits) -> Built:
    """Run the compiler to its end, or for so long, and take what it wrote as far as that may go."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=descriptors,
            env={}, cwd="/", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return Built(None, f"the compiler does not start: {error}")
    try:
        library, said = process.communicate(timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        return Built(None, f"the compiler took more than {limits.seconds} s")
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.communicate()
    if process.returncode or not library.startswith(b"\x7fELF") or len(library) > limits.library_bytes:
        return Built(None, said.decode("utf-8", "replace")[-2000:] or "the compiler failed")
    return Built(library)
