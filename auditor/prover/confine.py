"""Run one job of the prover in the sandbox, the only way in which untrusted code runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.errors import PgolfError
from auditor.limits import ProverLimits, SandboxLimits
from auditor.prover.runlog import frames
from auditor.sandbox.request import SandboxRequest
from auditor.sandbox.run import run

ENTRY = b"import os\nfrom auditor.prover.child import zygote\nzygote.main(os.getcwd())\n"
SCRATCH_BYTES = 1_000_000_000
"""Scratch of a job: shards, copies of a tiny model and whatever the script saves, in memory."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a job returned."""

    results: dict[str, bytes]
    """By "variant/branch"."""
    confinement: str
    cpu_seconds: float


class JobFailed(PgolfError):
    """A job ended without results."""


def execute(files: Mapping[str, bytes], nonce: str, wall_seconds: float, limits: ProverLimits) -> Job:
    """Run a job.

    Results that came before a limit ended the job are kept; a job that ended properly may have none, when no run ended
    in time. Raises JobFailed where a job ended otherwise without results, SandboxUnavailable where no sandbox that can
    fork is at hand.
    """
    request = SandboxRequest(
        code=ENTRY,
        name="<prover>",
        files=files,
        import_paths=("harness",),
        env={"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": ""},
        writable=True,
        forks=True,
        limits=SandboxLimits(
            wall_seconds=wall_seconds,
            cpu_seconds=limits.cpu_seconds,
            address_bytes=limits.address_bytes,
            resident_bytes=limits.resident_bytes,
            processes=400,
            scratch_bytes=SCRATCH_BYTES,
            output_bytes=limits.report_bytes,
        ),
    )
    result = run(request)
    found = frames(result.report)
    whole = found.pop("nonce", b"") == nonce.encode()
    if not found and not (whole and not result.stopped):
        why = result.stopped or result.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][-300:]
        raise JobFailed(f"the miniature did not run: {why or 'no output'}" + ("" if whole else ", no answer"))
    return Job(found, result.label, result.cpu_seconds)
