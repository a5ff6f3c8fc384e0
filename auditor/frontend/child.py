"""Try a parse in a child process with hard limits, so that a source built to exhaust the parser ends there.

The child compiles and drops the result; it executes nothing of the source and writes nothing.
"""

from __future__ import annotations

import subprocess
import sys

from auditor.limits import FrontendLimits

_CHILD = """
import ast, sys
try:
    import resource
    memory, seconds = int(sys.argv[1]), int(float(sys.argv[2])) + 1
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
source = sys.stdin.buffer.read()
try:
    ast.parse(source)
except SyntaxError:
    pass
except (MemoryError, RecursionError, ValueError, OverflowError) as error:
    sys.exit(3)
"""


def child_refusal(raw: bytes, limits: FrontendLimits) -> str | None:
    """Return why a source must not be parsed in this process, None where the child managed it."""
    command = [sys.executable, "-I", "-W", "ignore", "-c", _CHILD]
    command += [str(limits.child_memory_bytes), str(limits.child_seconds)]
    try:
        done = subprocess.run(
            command,
            input=raw,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=limits.child_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"parsing took more than {limits.child_seconds:g} seconds"
    except OSError as error:
        return f"no child process could be started to parse it: {error}"
    if done.returncode == 3:
        return "it is nested too deeply for the parser"
    return None if done.returncode == 0 else "the parser ran out of resources on it"
