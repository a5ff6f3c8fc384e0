"""The sandbox's public API: what a request may ask, what comes back, and what happens when things go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sandbox_driver import remains

from auditor.errors import SandboxUnavailable
from auditor.limits import SandboxLimits
from auditor.sandbox import launch, lock, seccomp
from auditor.sandbox import run as run_module
from auditor.sandbox.probe import probe
from auditor.sandbox.request import Runtime, SandboxLevel, SandboxRequest
from auditor.sandbox.run import run
from auditor.sandbox.runtime import describe

SHORT = SandboxLimits(wall_seconds=30.0, cpu_seconds=8)


def ask(code: str, level: SandboxLevel, **options):
    return run(SandboxRequest(code.encode(), limits=SHORT, **options), level)


def test_returns_output_and_exit_code(level) -> None:
    """Output streams, exit code and the report channel arrive separately."""
    result = ask(
        "import os, sys; print('out'); print('err', file=sys.stderr);"
        "os.write(int(os.environ['SANDBOX_REPORT_FD']), b'told'); exit(7)",
        level,
    )
    assert (result.stdout, result.stderr, result.report) == (b"out\n", b"err\n", b"told")
    assert (result.exit_code, result.signal, result.stopped, result.succeeded) == (7, None, None, False)
    assert result.peak_bytes > 1_000_000 and result.level is level


def test_traceback_names_only_the_program(level) -> None:
    """An uncaught exception ends with code 1 and a traceback that does not show the sandbox's own frames."""
    result = ask("def f():\n    1 / 0\nf()\n", level, name="program.py")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith(b"Traceback") and b"sandbox" not in result.stderr
    assert b'File "program.py", line 2' in result.stderr and result.stderr.strip().endswith(
        b"ZeroDivisionError: division by zero"
    )


def test_reports_the_signal_that_ended_it(level) -> None:
    """A program that dies by a signal has no exit code."""
    result = ask("import os; os.kill(os.getpid(), 11)", level)
    assert (result.exit_code, result.signal) == (None, signal.SIGSEGV)


def test_files_are_placed_and_brought_back(level) -> None:
    """Placed files are there under their names; matching files come back, missing patterns bring nothing."""
    code = "import sub.helper as h, sys; open('made.txt', 'w').write(h.X + sys.argv[1])"
    files = {"w/sub/helper.py": b"X = 'hello '", "w/data.bin": b"\0" * 1000}
    result = ask(
        code, level, argv=("world",), files=files, cwd="w", import_paths=("w",), writable=True, collect=("w/*.txt", "x")
    )
    assert result.stderr == b""
    assert [(file.path, file.data) for file in result.files] == [("w/made.txt", b"hello world")]


def test_scratch_is_read_only_unless_asked(level) -> None:
    """A program cannot write beside its files unless the request says so."""
    result = ask("open('x', 'w')", level)
    assert result.exit_code == 1 and b"x" in result.stderr


def test_environment_is_cleared(level, monkeypatch) -> None:
    """The program sees the request's environment and nothing of ours; the loader on our side sees none of it."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    result = ask("import os; print(sorted(os.environ))", level, env={"A": "1", "LD_PRELOAD": "/nonexistent.so"})
    names = ["A", "HOME", "LD_PRELOAD", "PATH", "SANDBOX_REPORT_FD", "TMPDIR"]
    assert result.stdout.decode().strip() == repr(names)
    assert b"LD_PRELOAD" not in result.stderr


def test_is_repeatable(level) -> None:
    """Hash seed and scratch path are the same in every run."""
    first, second = (ask("import os; print(hash('x'), os.getcwd())", level).stdout for _ in range(2))
    assert first == second


def test_large_files_and_outputs_are_refused_by_size(level) -> None:
    """A file beyond its cap does not come back, with the reason; smaller ones do."""
    limits = replace(SHORT, collect_file_bytes=100)
    code = b"open('a', 'wb').write(b'x' * 101); open('b', 'wb').write(b'x' * 100)"
    result = run(SandboxRequest(code, writable=True, collect=("*",), limits=limits), level)
    by_name = {file.path: file for file in result.files}
    assert by_name["a"].data is None and "more than the 100" in by_name["a"].problem
    assert by_name["b"].data == b"x" * 100


def test_partial_results_survive_a_time_limit(level) -> None:
    """What was written before the time was up is brought back."""
    limits = replace(SHORT, wall_seconds=2.0)
    code = b"import time; open('a', 'w').write('x'); print('started', flush=True); time.sleep(60)"
    result = run(SandboxRequest(code, writable=True, collect=("*",), limits=limits), level)
    assert result.stopped == "wall time" and result.stdout == b"started\n"
    assert [file.data for file in result.files] == [b"x"] and result.seconds < 20


def test_actions_are_reported(level) -> None:
    """What the program tried and was refused is listed by kind, once each."""
    code = """
import socket, subprocess
for _ in range(3):
    for action in (
        lambda: socket.getaddrinfo("example.com", 80), lambda: subprocess.run(["ls"]), lambda: open("/etc/passwd")
    ):
        try:
            action()
        except OSError:
            pass
"""
    kinds = [action.kind for action in ask(code, level).actions]
    assert kinds.count("subprocess") == 1 and kinds.count("network") == 1 and kinds.count("read") == 1


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "a\0b"])
def test_paths_that_leave_the_scratch_are_refused(path: str) -> None:
    """Nothing is started for a request whose paths leave the scratch."""
    with pytest.raises(ValueError, match="leaves the scratch"):
        run(SandboxRequest(b"", files={path: b""}))
    with pytest.raises(ValueError, match="leaves the scratch"):
        run(SandboxRequest(b"", cwd=path))


def test_nothing_runs_unconfined_unless_asked(monkeypatch) -> None:
    """Where no sandbox works a run is refused with the reasons; level NONE must be named."""
    able = replace(probe(), best=SandboxLevel.NONE, missing=("LOCK: the kernel has no landlock",))
    monkeypatch.setattr(run_module, "probe", lambda: able)
    with pytest.raises(SandboxUnavailable, match="no landlock"):
        run(SandboxRequest(b"print(1)"))
    with pytest.raises(SandboxUnavailable, match="BWRAP is not available"):
        run(SandboxRequest(b"print(1)"), SandboxLevel.BWRAP)
    result = run(SandboxRequest(b"print(1)", limits=SHORT), SandboxLevel.NONE)
    assert result.stdout == b"1\n" and result.label == "none (resource limits only)"


def test_forks_need_bubblewrap() -> None:
    """Without a process namespace nothing may fork, so a request that needs it is refused."""
    with pytest.raises(SandboxUnavailable, match="may fork needs bubblewrap"):
        run(SandboxRequest(b"", forks=True), SandboxLevel.LOCK)


@pytest.mark.skipif(probe().best < SandboxLevel.BWRAP, reason="no bubblewrap here")
def test_forked_processes_are_counted_and_ended() -> None:
    """A program that may fork is bounded in processes, and its children end with it."""
    limits = replace(SHORT, processes=30)
    code = b"""
import os, time
made = 0
try:
    for _ in range(500):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError:
    pass
print(made, flush=True)
time.sleep(0.2)
"""
    started = time.monotonic()
    result = run(SandboxRequest(code, forks=True, limits=limits), SandboxLevel.BWRAP)
    made = int(result.stdout or b"0")
    assert result.stopped == "threads" or 0 < made <= 60
    assert time.monotonic() - started < 25 and remains() == []


def test_many_runs_at_once(level) -> None:
    """Runs in parallel threads do not mix up their files or outputs."""

    def one(number: int) -> bytes:
        code = f"print({number}, open('n').read())"
        return ask(code, level, files={"n": str(number).encode()}).stdout

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(8))) == [f"{n} {n}\n".encode() for n in range(8)]
    assert remains() == []


def test_a_killed_parent_leaves_nothing(level) -> None:
    """When pgolf itself is killed the program ends and its scratch disappears."""
    script = (
        "from auditor.sandbox import launch\nfrom auditor.sandbox.run import run\n"
        "from auditor.sandbox.request import *\n"
        f"launch._PREFIX = {launch._PREFIX!r}\n"
        f"run(SandboxRequest(b'import time; time.sleep(60)', writable=True), SandboxLevel.{level.name})"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(started := _descendants(parent.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    started = _descendants(parent.pid)
    assert len(started) >= 2
    parent.kill()
    parent.wait()
    while any(os.path.exists(f"/proc/{process}") for process in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [process for process in started if os.path.exists(f"/proc/{process}")] == []
    assert remains() == []


def _descendants(process: int) -> list[int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[int(name)] = int(file.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def test_missing_interpreter_is_named() -> None:
    """An interpreter that does not start is a clear error."""
    with pytest.raises(SandboxUnavailable, match="/nonexistent/python"):
        describe("/nonexistent/python")


def test_broken_interpreter_is_named() -> None:
    """A program that is no interpreter ends without a record, which is an error and not a result."""
    runtime = replace(describe(), executable="/bin/true")
    with pytest.raises(SandboxUnavailable, match="without a record"):
        run(SandboxRequest(b"print(1)", runtime=runtime, limits=SHORT))


def test_packages_are_exposed_without_running_their_pth_files(tmp_path, level) -> None:
    """site-packages can be imported from; a .pth file in it does not run."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "package.py").write_text("VALUE = 5")
    (folder / "evil.pth").write_text("import sys; sys.evil = True")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    base = describe()
    runtime = Runtime(base.executable, base.version, base.libraries, (str(folder),))
    result = ask("import sys, package; print(package.VALUE, hasattr(sys, 'evil'))", level, runtime=runtime)
    assert result.stdout == b"5 False\n"


_CONTAINER = """
import ctypes, json, struct, sys
from auditor.sandbox import launch, lock, seccomp
code = [(0x20, 0, 0, 0)]
for number in (272, 165, 308, 155):
    code += [(0x15, 0, 1, number), (6, 0, 0, 0x50001)]
code += [(0x15, 0, 1, 435), (6, 0, 0, 0x50026)]
code += [(0x15, 0, 4, 56), (0x20, 0, 0, 16), (0x45, 0, 1, 0x7E020000), (6, 0, 0, 0x50001), (6, 0, 0, 0x7FFF0000)]
code += [(6, 0, 0, 0x7FFF0000)]
lock.seccomp(b"".join(struct.pack("<HBBI", *item) for item in code), [])
from auditor.sandbox.probe import probe
from auditor.sandbox.run import run
from auditor.sandbox.request import SandboxRequest
able = probe()
result = run(SandboxRequest(b"print('ran')"))
print(json.dumps([able.best.name, able.missing, result.stdout.decode(), result.label]))
"""


@pytest.mark.skipif(seccomp.machine() != "x86_64" or not lock.landlock_abi(), reason="needs landlock on x86_64")
def test_container_without_namespaces_gets_the_lock() -> None:
    """Where namespaces are refused, as in a default container, the lock is used and the reason is kept."""
    done = subprocess.run([sys.executable, "-c", _CONTAINER], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    best, missing, output, label = json.loads(done.stdout)
    assert best == "LOCK" and output == "ran\n" and label.startswith("landlock(")
    assert len(missing) == 1 and missing[0].startswith("BWRAP: ")


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_filter_fits_the_kernel(name: str) -> None:
    """The assembled filter is within the kernel's 4096 instructions and every jump stays inside it."""
    program = seccomp.build(name).program
    count = len(program) // 8
    assert count < 4096
    for index in range(count):
        code, yes, no = program[8 * index], program[8 * index + 2], program[8 * index + 3]
        if code in (0x15, 0x45):
            assert index + 1 + max(yes, no) < count


def test_unknown_processor_has_no_sandbox(monkeypatch) -> None:
    """On a processor without a system call table every level is refused with that reason."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    able = probe.__wrapped__()
    assert able.best is SandboxLevel.NONE and "processor" in able.missing[0]
