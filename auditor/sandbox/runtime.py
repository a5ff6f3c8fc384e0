"""Finds what an interpreter needs in order to run, so that the sandbox can expose that and nothing else.

Asks the interpreter itself, outside the sandbox: it is the user's own, named by the user. Nothing of a submission is
on its path when it is asked.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

from auditor.errors import SandboxUnavailable
from auditor.sandbox.request import Runtime

_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_QUESTION = """
import json, os, platform, site, sys, sysconfig
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({"executable": os.path.realpath(base), "version": platform.python_version(),
    "prefix": sys.base_prefix, "stdlib": sysconfig.get_path("stdlib"), "platstdlib": sysconfig.get_path("platstdlib"),
    "libdir": sysconfig.get_config_var("LIBDIR") or "", "shared": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")),
    "site": site.getsitepackages()}))
"""
_ASK_SECONDS = 20


@functools.lru_cache(maxsize=16)
def describe(python: str = sys.executable) -> Runtime:
    """Return the runtime of the interpreter `python`. Raise SandboxUnavailable when it cannot be started."""
    loader = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _QUESTION], capture_output=True, timeout=_ASK_SECONDS, check=True, env=loader, cwd="/"
        )
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise SandboxUnavailable(f"the interpreter {python} cannot be started: {error}") from error
    places = [facts["stdlib"], facts["platstdlib"], facts["libdir"], os.path.join(facts["prefix"], "lib"), *_SYSTEM]
    site = [path for path in facts["site"] if os.path.isdir(path)]
    own = facts["libdir"] if facts["shared"] and not facts["libdir"].startswith("/usr/lib") else ""
    return Runtime(facts["executable"], facts["version"], _outermost(places), tuple(dict.fromkeys(site)), own)


def _outermost(paths: list[str]) -> tuple[str, ...]:
    """Drop missing paths and paths below another one, keeping the order."""
    existing = list(dict.fromkeys(path for path in paths if path and os.path.exists(path)))
    return tuple(
        path for path in existing if not any(path != other and path.startswith(other + "/") for other in existing)
    )
