"""Turns what happened to an import into PASS, FAIL or INCONCLUSIVE, with the reason.

FAIL is kept for defects that the script would have on any machine; everything that a better equipped machine might
change is INCONCLUSIVE, because public smoke tests had to take back verdicts that were about the tester's own box.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.model.smoke import Judgement, SmokeOutcome
from auditor.sandbox.request import SandboxResult

_OWN_DEFECTS = ("NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "TabError")
_GPU_WORDS = ("cuda", "nvidia", "gpu", "hip ", "hopper", "flash attention", "flashattention", "flash-attn", "nccl")
_NETWORK_WORDS = ("urlopen", "connection", "resolve", "offline", "huggingface", "max retries", "getaddrinfo")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_SET_ALREADY = frozenset(("HOME", "TMPDIR", "PATH", "SANDBOX_REPORT_FD"))
"""The sandbox's own variables: a script that says it lacks one of them must not replace it."""
_LIMITS = {
    "wall time": "still running when its time was up: it may train when imported",
    "cpu time": "used up its CPU time: it may train when imported",
    "memory": "used up its memory",
    "threads": "started too many threads",
    "scratch space": "wrote more than the scratch holds",
    "output": "wrote more output than is kept",
}


def judge_import(told: dict[str, Any] | None, result: SandboxResult, started: bool = True) -> Judgement:
    """Judge a run whose import stage told `told` (None: it never got there).

    `started` False: the harness had not yet handed over to the script when the run ended.
    """
    if told is None and not started:
        limit = result.stopped or "end"
        return Judgement(SmokeOutcome.INCONCLUSIVE, f"torch was still being loaded at the {limit} limit: slow machine")
    if told is None:
        return _silent(result)
    error = told.get("error")
    if not isinstance(error, dict):
        return Judgement(SmokeOutcome.PASS)
    outcome, reason = _cause(error, result)
    return Judgement(outcome, reason, f"{error['type']}: {error['message']}")


def missing_variables(told: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the names of environment variables whose absence ended an import, as far as its exception names them."""
    error = told.get("error") if told else None
    if not isinstance(error, dict):
        return ()
    named: list[str] = []
    if _lacks_variable(error):
        named = [error["message"].strip("'\"")]
    elif _says_variable(error["message"].lower()):
        named = _VARIABLE.findall(error["message"])
    valid = [name for name in named if _NAME.fullmatch(name) and name not in _SET_ALREADY]
    return tuple(dict.fromkeys(valid))[:8]


def _lacks_variable(error: dict[str, Any]) -> bool:
    return bool(error["type"] == "KeyError" and error["raised_in"].startswith("<frozen os>"))


def _says_variable(low: str) -> bool:
    return "environment variable" in low or "env var" in low


def _silent(result: SandboxResult) -> Judgement:
    if result.stopped is not None:
        reason = _LIMITS.get(result.stopped, f"stopped: {result.stopped}")
        return Judgement(SmokeOutcome.INCONCLUSIVE, reason)
    if result.signal is not None:
        return Judgement(SmokeOutcome.INCONCLUSIVE, f"its process ended with signal {result.signal}")
    return Judgement(SmokeOutcome.FAIL, f"ended its own process (code {result.exit_code}) while being imported")


def _cause(error: dict[str, Any], result: SandboxResult) -> tuple[SmokeOutcome, str]:
    """Return the outcome for an exception, the surest signs first."""
    kind, message, low = error["type"], error["message"], error["message"].lower()
    inconclusive, fail = SmokeOutcome.INCONCLUSIVE, SmokeOutcome.FAIL
    if kind in _OWN_DEFECTS and (error["own"] or kind not in ("NameError", "UnboundLocalError")):
        return fail, "the script cannot run on any machine"
    if kind == "ModuleNotFoundError":
        return inconclusive, f"module {error['module'] or '?'} is neither installed nor beside the script"
    if kind == "ImportError":
        return inconclusive, "an installed package lacks what the script imports from it"
    if kind == "SystemExit":
        if any(word in low for word in _GPU_WORDS):
            return inconclusive, "needs a GPU when imported"
        return fail, "ends the interpreter when imported"
    if "infer_schema" in error["raised_in"]:
        return fail, "torch cannot read the signature of a custom operator: its annotations are missing"
    if _lacks_variable(error):
        return inconclusive, f"needs the environment variable {message}"
    if _says_variable(low):
        return inconclusive, "needs an environment variable that is not set"
    if any(word in low for word in _GPU_WORDS):
        return inconclusive, "needs a GPU when imported"
    return inconclusive, _environment(error, low, result)


def _environment(error: dict[str, Any], low: str, result: SandboxResult) -> str:
    kinds = {action.kind for action in result.actions}
    if "network" in kinds or any(word in low for word in _NETWORK_WORDS):
        return "needs the network when imported"
    if "subprocess" in kinds:
        return "starts another program when imported"
    if error["type"] in ("FileNotFoundError", "NotADirectoryError", "IndexError") or "no such file" in low:
        return "needs files that are not here"
    if error["type"] in ("PermissionError", "OSError"):
        return "needs what the sandbox does not allow"
    if error["type"] in ("MemoryError", "RecursionError"):
        return "ran out of memory or stack"
    return "raised while being imported; other package versions may behave differently"
