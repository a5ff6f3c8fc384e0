"""C that a script compiles when it runs: read what a run asked for, have it compiled, and give it to the next runs."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditor.limits import CompileLimits
from auditor.sandbox.compiling import Build, compile_library

KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run wanted to have compiled, and the name under which it looks for it."""

    key: str
    build: Build


def wanted(row: dict[str, Any]) -> Wanted:
    """Read a request. It comes from an untrusted process: raises ValueError, KeyError or the like for a false one."""
    key = str(row["key"])
    if not KEY.fullmatch(key):
        raise ValueError("a key that is none")
    sources = {str(name): base64.b64decode(text, validate=True) for name, text in row["sources"].items()}
    arguments, inputs = (tuple(str(word) for word in row[name]) for name in ("arguments", "inputs"))
    return Wanted(key, Build(bool(row["cpp"]), arguments, inputs, sources))


def compiled(builds: Sequence[Wanted], limits: CompileLimits) -> dict[str, bytes]:
    """Compile `builds` and return files for the next runs: KEY.so, or KEY.txt with why there is no library."""
    out = {}
    for one in builds:
        built = compile_library(one.build, limits)
        if built.library is not None:
            out[f"{one.key}.so"] = built.library
        else:
            out[f"{one.key}.txt"] = built.message.encode()
    return out
