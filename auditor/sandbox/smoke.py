"""One smoke run: packs script and harness into a sandbox request and reads back what the run told.

Decides nothing by itself: `classify` judges, `usecases.smoke` puts facts together.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auditor.errors import SandboxUnavailable
from auditor.limits import SandboxLimits
from auditor.model.smoke import SmokeLevel
from auditor.sandbox.probe import probe
from auditor.sandbox.request import Runtime, SandboxLevel, SandboxRequest, SandboxResult
from auditor.sandbox.run import run

_PLACE = "parameter-golf/records/track/submission"
"""Scripts climb to the repository with `parents[3]`; the folder lies as deep as in the repository."""
_HARNESS = "harness/auditor/sandbox/child"
_ENV = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
_LINE_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class SmokeJob:
    """What one run loads: `source` under the name `script`, with `files` of the submission around it."""

    script: str
    source: str
    level: SmokeLevel
    files: Mapping[str, bytes]
    settings_class: str | None
    vocab: int | None
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the script sees beside the harness's own."""


@dataclass(frozen=True, slots=True)
class SmokeRun:
    """A finished run: what the sandbox observed and what the script's process told, stage by stage."""

    result: SandboxResult
    told: Mapping[str, dict[str, Any]]


def smoke_run(job: SmokeJob, runtime: Runtime, limits: SandboxLimits, level: SandboxLevel | None = None) -> SmokeRun:
    """Load `job` in the sandbox. Raise SandboxUnavailable as `run` does.

    The scratch is writable only under bubblewrap, where the kernel bounds its size; few scripts write at import.
    """
    nonce = secrets.token_hex(16)
    script = f"{_PLACE}/{job.script}"
    folder, _, name = script.rpartition("/")
    beside = {path.split("/")[0].removesuffix(".py") for path in job.files if "/" in path or path.endswith(".py")}
    config = {
        "script": name,
        "source": job.source,
        "level": job.level.name.lower(),
        "beside": sorted(beside),
        "packages": list(runtime.site),
        "settings_class": job.settings_class,
        "vocab": job.vocab,
    }
    orders = f"main({nonce!r}, json.loads({json.dumps(config)!r}))"
    code = f"import json\nfrom auditor.sandbox.child.entry import main\n{orders}\n"
    files = {f"{_PLACE}/{path}": data for path, data in job.files.items()} | _harness()
    request = SandboxRequest(
        code=code.encode(),
        name="smoke",
        files=files,
        cwd=folder,
        env={**job.settings, **_ENV},
        import_paths=("harness",),
        writable=(probe().best if level is None else level) == SandboxLevel.BWRAP,
        runtime=runtime,
        limits=limits,
    )
    result = run(request, level)
    told = _told(result.report, nonce)
    if "torch" not in told and result.stopped is None:
        note = result.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SandboxUnavailable(f"the smoke test could not start in {runtime.executable}: {note}")
    return SmokeRun(result, told)


def with_wall(limits: SandboxLimits, seconds: float) -> SandboxLimits:
    """Return `limits` with another time limit, CPU time included."""
    return replace(limits, wall_seconds=seconds, cpu_seconds=max(1, math.ceil(seconds)))


def _harness() -> dict[str, bytes]:
    """Return the child's modules under the package path that they import each other by."""
    here = Path(__file__).parent / "child"
    files = {f"{_HARNESS}/{path.name}": path.read_bytes() for path in sorted(here.glob("*.py"))}
    return files | {"harness/auditor/__init__.py": b"", "harness/auditor/sandbox/__init__.py": b""}


def _plausible(value: Any) -> bool:
    """Tell a number that a report can show from booleans, infinities and the like."""
    if value is None:
        return True
    return not isinstance(value, bool) and isinstance(value, (int, float)) and 0 <= value < _LARGEST


def _told(report: bytes, nonce: str) -> dict[str, dict[str, Any]]:
    """Return the first line of each known stage that carries the nonce and has the expected shape."""
    told: dict[str, dict[str, Any]] = {}
    for line in report.split(b"\n")[:100]:
        try:
            entry = json.loads(line[:_LINE_BYTES])
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and entry.get("nonce") == nonce and _SHAPES.get(str(entry.get("stage"))):
            stage = str(entry["stage"])
            if stage not in told and _fits(entry, _SHAPES[stage]):
                told[stage] = entry
    return told


_TEXT = (str, type(None))
_NUMBER = (int, float, type(None))
_LARGEST = 1e15
_SHAPES: dict[str, dict[str, tuple[type, ...]]] = {
    "torch": {"version": _TEXT, "seconds": _NUMBER},
    "import": {"seconds": _NUMBER, "error": (dict, type(None)), "stubs": (list,)},
    "model": {"problem": _TEXT, "parameters": _NUMBER},
    "forward": {"problem": _TEXT, "loss": _NUMBER},
}
_ERROR_SHAPE: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "message": (str,),
    "line": (int, type(None)),
    "raised_in": (str,),
    "own": (bool,),
    "module": _TEXT,
}


def _fits(entry: dict[str, Any], shape: dict[str, tuple[type, ...]]) -> bool:
    """Check types of all known fields: what comes from the script's process is never trusted to be well formed."""
    for key, types in shape.items():
        if not isinstance(entry.get(key), types) and not (key in ("parameters", "loss") and key not in entry):
            return False
    if not all(_plausible(entry.get(key)) for key in ("seconds", "parameters", "loss")):
        return False
    error = entry.get("error")
    if isinstance(error, dict) and not _plausible(error.get("line")):
        return False
    if isinstance(error, dict) and not all(isinstance(error.get(key), types) for key, types in _ERROR_SHAPE.items()):
        return False
    return all(isinstance(name, str) for name in entry.get("stubs", []))
