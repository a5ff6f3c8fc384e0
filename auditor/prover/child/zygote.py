"""Entry point inside the sandbox: load torch once, then a forked process per job, and in it one per run of the script.

Jobs come as files over the standard input; one frame per variant and branch goes to the sandbox's report channel. A
process that runs the script can write only its own variant's results: the report channel is closed in it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import time
from typing import Any

import numpy as np
import torch

from auditor.prover.child import fakecuda, program, runner, stubs
from auditor.prover.child.frames import FRAME, send

ROUNDS = 2000
"""How often, two milliseconds apart, what a run left behind is killed: a forest of forks takes a few."""
LOOK_SECONDS = 0.1
"""Between two looks at whether a run that has nothing to say has ended."""
SHARED = ("/tmp", "/dev/shm")
"""Where a script can write beside its scratch."""


def read_frames(fd: int, seconds: float, limit: int, child: int) -> dict[str, bytes]:
    """Read named results until end of file, the end of `child`, `seconds` or `limit` bytes, whichever comes first.

    End of file alone would not do: a process that the child left behind may hold the pipe open.
    """
    buffer = bytearray()
    selector = selectors.DefaultSelector()
    selector.register(fd, selectors.EVENT_READ)
    end = time.monotonic() + seconds
    ended = False
    while len(buffer) < limit and time.monotonic() < end:
        if selector.select(0.0 if ended else LOOK_SECONDS):
            chunk = os.read(fd, 1 << 20)
            if not chunk:
                break
            buffer += chunk
        elif ended:
            break
        else:
            ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    frames: dict[str, bytes] = {}
    at = 0
    while at + FRAME.size <= len(buffer):
        name_size, body_size = FRAME.unpack_from(buffer, at)
        start = at + FRAME.size
        if start + name_size + body_size > len(buffer):
            break
        name = bytes(buffer[start : start + name_size]).decode("utf-8", "replace")
        frames[name] = bytes(buffer[start + name_size : start + name_size + body_size])
        at = start + name_size + body_size
    return frames


def run_variant(
    job: dict[str, Any], prepared: program.Program, variant: dict[str, Any], report: int
) -> dict[str, bytes]:
    """Run one variant in a process of its own and return its results by name."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.close(report)
        silence()
        runner.run(job, prepared, variant, writer)
        os._exit(0)
    os.close(writer)
    frames = read_frames(reader, float(job["seconds"]), int(job["result_bytes"]), child)
    os.close(reader)
    end_run(child)
    return frames


def end_run(child: int) -> None:
    """End the child and whatever it started: nothing of one run may go on, or know of it, in the next."""
    spared = {1, os.getpid(), os.getppid()}
    for _ in range(ROUNDS):
        others = [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) not in spared]
        for process in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)
        if not others:
            return
        time.sleep(0.002)
    raise RuntimeError("processes of a run could not be ended")


def silence(channels: tuple[int, ...] = (0, 1, 2)) -> None:
    """Discard what the script prints (the study's runs wrote 24 GB of it) and give it nothing to read."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in channels:
        os.dup2(null, fd)


def main(here: str) -> None:
    """Take jobs from the standard input until it ends, each in a process of its own, one after another."""
    torch.set_num_threads(1)
    preload()
    gc.collect()
    gc.freeze()
    report = int(os.environ["SANDBOX_REPORT_FD"])
    kept = {folder: {*os.listdir(folder)} for folder in SHARED}
    send(report, "ready", b"")
    while (files := read_job()) is not None:
        child = os.fork()
        if child == 0:
            work(here, files, report, kept)
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            send(report, "nonce", b"")


def read_job() -> dict[str, bytes] | None:
    """Return the files of the next job by path, None at the end of the input."""
    size = read_bytes(8)
    if len(size) < 8:
        return None
    listed = json.loads(read_bytes(int.from_bytes(size, "little")))
    return {path: read_bytes(length) for path, length in listed}


def read_bytes(count: int) -> bytes:
    """Read `count` bytes of the standard input, fewer at its end."""
    parts = []
    while count > 0 and (part := os.read(0, min(count, 1 << 20))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def place(here: str, files: dict[str, bytes], kept: dict[str, set[str]]) -> None:
    """Leave nothing of an earlier run anywhere, and write the files of a job; `kept` are folders that hold more."""
    for folder, names in {here: set(), **kept}.items():
        for name in {*os.listdir(folder)} - names:
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
        if {*os.listdir(folder)} - names:
            raise RuntimeError("the scratch could not be cleared")
    for path, body in files.items():
        target = os.path.join(here, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(body)


def work(here: str, files: dict[str, bytes], report: int, kept: dict[str, set[str]]) -> None:
    """Run every variant of a job, each in a fresh copy in `here`, and send the results to the report channel.

    Fresh, as a script may find what an earlier run saved and take it up: scores, or weights that knew other tokens.
    """
    silence(channels=(0,))
    job = json.loads(files.pop("job.json"))
    place(here, files, kept)
    fakecuda.install(bool(job["real_halves"]))
    stubs.install(job["stubs"])
    prepared = program.prepare(job, here)
    gc.collect()
    gc.freeze()
    for number, variant in enumerate(job["variants"]):
        if number:
            place(here, files, kept)
        program.lay_out(here)
        for name, body in run_variant(job, prepared, variant, report).items():
            send(report, f"{variant['name']}/{name}", body)
    send(report, "nonce", job["nonce"].encode())


def preload() -> None:
    """Import what scripts import, once, before the patches and the forks."""
    import numpy.random  # noqa: F401
    import torch._dynamo
    import torch._inductor.config
    import torch.distributed
    import torch.library
    import torch.nn.attention.flex_attention
    import torch.nn.parallel
    import torch.utils.checkpoint
    import torch.utils.flop_counter

    with contextlib.suppress(ImportError):
        import sentencepiece  # noqa: F401
    torch.ones(2, 2, requires_grad=True).sum().backward()
    np.random.default_rng(0)
