"""Entry point inside the sandbox: load torch once, then run the script in one forked process per variant.

Reads `job.json`, writes one frame per variant and branch to the sandbox's report channel. A process that runs the
script can write only its own variant's results: the report channel is closed in it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
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


def silence() -> None:
    """Discard what the script prints: the study's runs wrote 24 GB of it."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)


def main(here: str) -> None:
    """Run every variant of the job laid out in `here` and send the results to the report channel."""
    with open(os.path.join(here, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    os.unlink(os.path.join(here, "job.json"))
    report = int(os.environ["SANDBOX_REPORT_FD"])
    torch.set_num_threads(1)
    if job["torch"]:
        preload()
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
