"""Loads one script inside the sandbox and tells the parent, stage by stage, how far it came.

What is written here shares a process with the untrusted script: the parent treats every word of it as a claim. The two
`except BaseException` clauses stand around the script's own code: SystemExit and its like are results here.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
import time
import traceback
import types
from typing import Any

from auditor.sandbox.child import model as models
from auditor.sandbox.child import stubs

_TEXT = 2000
_MODULE = "submission_script"


def main(nonce: str, config: dict[str, Any]) -> None:
    """Run the stages named in `config` and write one JSON line per stage, each with `nonce`, to the report channel."""
    descriptor = int(os.environ.pop("SANDBOX_REPORT_FD"))
    write, dumps = os.write, json.dumps

    def tell(stage: str, **facts: Any) -> None:
        write(descriptor, dumps({"nonce": nonce, "stage": stage, **facts}).encode() + b"\n")

    tell("torch", **_prepare())
    finder = stubs.install(config["beside"], config["packages"])
    sys.path.insert(0, os.getcwd())
    sys.argv = [config["script"]]
    started = time.perf_counter()
    module, error = _load(config)
    seconds = time.perf_counter() - started
    tell("import", seconds=seconds, error=error, stubs=finder.used)
    if error is not None or module is None or config["level"] == "import":
        return
    builder = models.Builder(module, ast.parse(config["source"]), config["settings_class"])
    built: list[Any] = []
    device = "cpu" if config["level"] == "forward" else "meta"

    def build() -> dict[str, Any]:
        built.append(builder.build(device))
        return {"parameters": models.count_parameters(built[0])}

    tell("model", **_attempt(build))
    if config["level"] == "forward" and built:
        tell("forward", **_attempt(lambda: {"loss": models.forward(built[0], config["vocab"] or builder.vocabulary())}))


def _prepare() -> dict[str, Any]:
    """Import torch before the clock starts, make it deterministic and keep it from compiling."""
    started = time.perf_counter()
    try:
        import torch
    except ImportError as error:
        return {"version": None, "problem": str(error)[:_TEXT], "seconds": 0.0}
    seconds = time.perf_counter() - started
    tempfile.tempdir = os.environ["TMPDIR"]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.compile = _eager
    _lenient_fakes(torch)
    return {"version": str(torch.__version__), "seconds": seconds}


def _eager(model: Any = None, **options: Any) -> Any:
    """Stand in for `torch.compile`: a compiler is neither there nor wanted."""
    return model if model is not None else lambda function: function


def _lenient_fakes(torch: Any) -> None:
    """Let `torch.library.register_fake` pass for operators of extensions that are not there."""
    real = torch.library.register_fake

    def register(op: Any, func: Any = None, **named: Any) -> Any:
        if func is None:
            return lambda function: register(op, function, **named)
        try:
            return real(op, func, **named)
        except (RuntimeError, AttributeError):
            return func

    torch.library.register_fake = register


def _load(config: dict[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    """Execute the module level under a name that is not `__main__`. Return (module, what it raised or None)."""
    path = os.path.join(os.getcwd(), config["script"])
    module = types.ModuleType(_MODULE)
    module.__dict__["__file__"] = path
    sys.modules[_MODULE] = module
    try:
        code = compile(config["source"], path, "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except BaseException as error:
        return None, _describe(error, path)
    return module, None


def _describe(error: BaseException, path: str) -> dict[str, Any]:
    """Return type, text and place of an exception: the last line of the script that was running, and who raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == path]
    last = frames[-1] if frames else None
    line = error.lineno if isinstance(error, SyntaxError) else own[-1].lineno if own else None
    return {
        "type": type(error).__name__,
        "message": str(error)[:_TEXT],
        "line": line,
        "raised_in": last.filename[-200:] if last is not None else "",
        "own": last is not None and (last.filename == path or _is_text(last.filename)),
        "module": getattr(error, "name", None) if isinstance(error, ImportError) else None,
    }


def _is_text(filename: str) -> bool:
    """Tell code that a shim decoded and executed, which has no file, from the interpreter's own frozen modules."""
    return filename.startswith("<") and not filename.startswith("<frozen")


def _attempt(action: Any) -> dict[str, Any]:
    try:
        return {"problem": None, **action()}
    except models.Unavailable as error:
        return {"problem": str(error)[:_TEXT]}
    except BaseException as error:
        return {"problem": f"{type(error).__name__}: {error}"[:_TEXT]}
