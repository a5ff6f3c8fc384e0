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


def read_frames(fd: int, seconds: float, limit: int) -> dict[str, bytes]:
    """Read named results until end of file, `seconds` or `limit` bytes, whichever comes first."""
    buffer = bytearray()
    selector = selectors.DefaultSelector()
    selector.register(fd, selectors.EVENT_READ)
    end = time.monotonic() + seconds
    while len(buffer) < limit:
        left = end - time.monotonic()
        if left <= 0 or not selector.select(left):
            break
        chunk = os.read(fd, 1 << 20)
        if not chunk:
            break
        buffer += chunk
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
    frames = read_frames(reader, float(job["seconds"]), int(job["result_bytes"]))
    os.close(reader)
    end_child(child)
    return frames


def end_child(child: int) -> None:
    """Reap the child; one that neither ended nor can be killed is left to the sandbox, which ends with this process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(child, signal.SIGKILL)
    for _ in range(200):
        done, _ = os.waitpid(child, os.WNOHANG)
        if done:
            return
        time.sleep(0.01)


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
    send(report, "ready", b"")
    while (files := read_job()) is not None:
        child = os.fork()
        if child == 0:
            work(here, files, report)
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


def place(here: str, files: dict[str, bytes]) -> None:
    """Leave nothing of an earlier job in the scratch, and write the files of this one."""
    for name in os.listdir(here):
        path = os.path.join(here, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    for path, body in files.items():
        target = os.path.join(here, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(body)


def work(here: str, files: dict[str, bytes], report: int) -> None:
    """Run every variant of a job laid out in `here` and send the results to the report channel."""
    silence(channels=(0,))
    job = json.loads(files.pop("job.json"))
    place(here, files)
    fakecuda.install(bool(job["real_halves"]))
    stubs.install(job["stubs"])
    prepared = program.prepare(job, here)
    gc.collect()
    gc.freeze()
    for variant in job["variants"]:
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
