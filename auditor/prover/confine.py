"""Run jobs of the prover in a sandbox, the only way in which untrusted code runs here.

A box is one sandboxed process that has loaded torch and takes one job after another; every job, and every run of the
script in it, is a fork of its own that the process outlives.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
import time
from collections.abc import Mapping

from auditor.errors import PgolfError, SandboxUnavailable
from auditor.limits import ProverLimits, SandboxLimits
from auditor.prover.runlog import Frames
from auditor.sandbox.request import Dialogue, SandboxRequest, SandboxResult
from auditor.sandbox.run import run

ENTRY = b"import os\nfrom auditor.prover.child import zygote\nzygote.main(os.getcwd())\n"
SCRATCH_BYTES = 1_000_000_000
"""Scratch of a box: shards, copies of a tiny model and whatever the script saves, in memory."""
START_SECONDS = 120.0
"""What loading torch may take: 3 s on an idle machine, over a minute on one that others saturate."""
LEAVE_SECONDS = 20.0
"""What a box gets to end by itself once no more jobs come."""


class JobFailed(PgolfError):
    """A job ended without results."""


class Box:
    """A sandbox that is kept for several jobs. Use one from one thread at a time, and close it."""

    def __init__(self, harness: Mapping[str, bytes], wall_seconds: float, limits: ProverLimits) -> None:
        self.limits = limits
        self.confinement = ""
        self.cpu_seconds = 0.0
        self._frames = Frames()
        self._changed = threading.Condition()
        self._over = self._abandoned = self._ready = False
        self._result: SandboxResult | None = None
        self._problem: Exception | None = None
        self._reader, self._writer = os.pipe()
        os.set_inheritable(self._writer, False)
        request = self._request(harness, wall_seconds)
        self._thread = threading.Thread(target=self._live, args=(request,), daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """False once it has ended or was given up."""
        return not (self._over or self._abandoned)

    def job(self, files: Mapping[str, bytes], nonce: str, wall_seconds: float) -> dict[str, bytes]:
        """Run one job and return its results by "variant/branch".

        Results that came before a limit ended the job are kept; a job that ended properly may have none, when no run
        ended in time. Raises JobFailed where a job ended otherwise without results, or its box did; SandboxUnavailable
        where no sandbox that can fork is at hand.
        """
        if not self._ready:
            self._ready = "ready" in self._await("ready", START_SECONDS)
        self._frames = Frames()
        if self._ready:
            self._send(files)
        found = self._await("nonce", wall_seconds if self._ready else 0.0)
        late = "nonce" not in found and not self._over
        whole = found.pop("nonce", b"") == nonce.encode()
        if not whole:
            self.close(at_once=True)
        if self._problem is not None and not (self._ready and isinstance(self._problem, SandboxUnavailable)):
            raise self._problem
        if not found and not whole:
            raise JobFailed(f"the miniature did not run: {self._reason(late)}")
        return found

    def _await(self, name: str, seconds: float) -> dict[str, bytes]:
        """Return what has come once `name` is there, the box is over or time is up."""
        end = time.monotonic() + seconds
        with self._changed:
            while name not in self._frames.found and not self._over:
                if not self._changed.wait(max(end - time.monotonic(), 0.0)):
                    break
            return dict(self._frames.found)

    def close(self, at_once: bool = False) -> None:
        """End the box, and wait until nothing of it is left."""
        if at_once:
            self.abandon()
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
        self._thread.join(LEAVE_SECONDS)
        self.abandon()
        self._thread.join()

    def abandon(self) -> None:
        """Have the box ended within a second or so."""
        self._abandoned = True

    def _request(self, harness: Mapping[str, bytes], wall_seconds: float) -> SandboxRequest:
        return SandboxRequest(
            code=ENTRY,
            name="<prover>",
            files=harness,
            import_paths=("harness",),
            env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""},
            writable=True,
            forks=True,
            limits=SandboxLimits(
                wall_seconds=wall_seconds,
                cpu_seconds=self.limits.cpu_seconds,
                address_bytes=self.limits.address_bytes,
                resident_bytes=self.limits.resident_bytes,
                processes=400,
                scratch_bytes=SCRATCH_BYTES,
                output_bytes=self.limits.report_bytes,
            ),
            dialogue=Dialogue(self._reader, self._received, lambda: self._abandoned),
        )

    def _live(self, request: SandboxRequest) -> None:
        try:
            result = run(request)
            self.confinement, self.cpu_seconds, self._result = result.label, result.cpu_seconds, result
        except Exception as problem:
            self._problem = problem
        finally:
            os.close(self._reader)
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _received(self, chunk: bytes) -> None:
        with self._changed:
            self._frames.feed(chunk)
            self._changed.notify_all()

    def _send(self, files: Mapping[str, bytes]) -> None:
        """Hand over a job. A box that is gone already is noticed when its answer is awaited."""
        header = json.dumps([[path, len(body)] for path, body in files.items()]).encode()
        data = memoryview(b"".join([struct.pack("<Q", len(header)), header, *files.values()]))
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._writer, data) :]

    def _reason(self, late: bool) -> str:
        """Say why a job has no result; `late`: its time was up."""
        if self._result is None:
            return str(self._problem or "no output, no answer")
        said = self._result.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][-300:]
        stopped = self._result.stopped if self._result.stopped != "abandoned" else "wall time" if late else ""
        return stopped or said or "no answer"
