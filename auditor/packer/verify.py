"""Check a finished file the way a stranger would: unpack it statically, parse it, and let other interpreters decode it.

The interpreters run the decoder with `exec` of the payload replaced by compiling it and taking a checksum: no line of
the payload runs.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from auditor.errors import UnpackError
from auditor.frontend import compat
from auditor.limits import DEFAULT_LIMITS
from auditor.unpack import unpack

VERSIONS = ("3.10", "3.11", "3.12", "3.13")

_CHILD = """
import builtins, hashlib, sys, warnings
run = exec
def grab(text, *rest):
    if not isinstance(text, (bytes, str)):
        return run(text, *rest)
    if isinstance(text, bytes) and text.startswith(b"import math\\ndef f(z):"):
        return run(text, sys._getframe(1).f_globals)
    text = text if isinstance(text, bytes) else text.encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(text, "payload", "exec")
    print(hashlib.sha256(text).hexdigest())
path = sys.argv[1]
with open(path, "rb") as file:
    code = compile(file.read(), path, "exec")
builtins.exec = grab
run(code, {"__name__": "__main__", "__file__": path})
"""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one interpreter made of the file."""

    version: str
    ok: bool
    detail: str


def check_static(data: bytes, carried: bytes, target: tuple[int, int]) -> None:
    """Raise UnpackError unless `data` unpacks statically to `carried` and both parse on `target`.

    What `carried` itself decodes or runs further is its own affair: only the layer around it must be clear.
    """
    if data != carried:
        unpacked = unpack(data, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack)
        inside = unpacked.layers[1].raw if len(unpacked.layers) > 1 else None
        if inside != carried or any(o.span.layer == 0 for o in unpacked.opaque):
            raise UnpackError("the packed file does not unpack to the text that went in")
    for layer, raw in enumerate((data, carried)):
        problems = compat.problems(raw, "train_gpt.py", layer, target)
        if problems:
            raise UnpackError(f"layer {layer} does not parse on the target: {problems[0].message}")


def interpreters() -> dict[str, str]:
    """Return the interpreters found on PATH, by version; broken launchers are left out."""
    found: dict[str, str] = {}
    for version in VERSIONS:
        path = shutil.which(f"python{version}")
        if path is None:
            continue
        probe = [path, "-I", "-c", "import sys;print('%d.%d'%sys.version_info[:2])"]
        done = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=False)
        if done.stdout.strip() == version:
            found[version] = path
    return found


def decode_elsewhere(data: bytes, carried: bytes) -> tuple[Decoded, ...]:
    """Let every interpreter found decode `data`, compile what it would run and compare its checksum."""
    wanted = hashlib.sha256(carried).hexdigest()
    results: list[Decoded] = []
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "train_gpt.py")
        script.write_bytes(data)
        for version, path in interpreters().items():
            done = subprocess.run(
                [path, "-I", "-W", "error", "-c", _CHILD, str(script)],
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            ok = done.stdout.split() == [wanted]
            results.append(Decoded(version, ok, "" if ok else done.stderr.strip()[-300:] or "another text"))
    return tuple(results)
