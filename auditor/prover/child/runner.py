"""Run the rewritten script once, in this process, and send back what it logged."""

from __future__ import annotations

import builtins
import gc
import io
import json
import os
import random
import signal
import sys
import time
import traceback
import types
from typing import Any

import numpy as np
import torch

from auditor.prover.child import memory, world
from auditor.prover.child.frames import send
from auditor.prover.child.kernels import Kernel
from auditor.prover.child.native import Native
from auditor.prover.child.program import Helpers, Program
from auditor.prover.child.recorder import CHAIN, Recorder, as_array
from auditor.prover.child.settings import Settings
from auditor.prover.child.stubs import Stub

NOW = time.monotonic
"""The real clock: scripts get another."""
HEADER = 256
MAGIC, VERSION = 20240520, 1


class Run:
    """One run of the script and its branches."""

    def __init__(self, job: dict[str, Any], program: Program, variant: dict[str, Any], writer: int) -> None:
        self.job, self.program, self.variant, self.writer = job, program, variant, writer
        table = [(pattern, cap) for pattern, cap in job["table"]]
        self.settings = Settings(table, {**job["exact"], **self.own_paths()}, job["shrunk"], job["width"])
        self.recorder = Recorder(self.settings, job.get("only"))
        self.cover = bytearray(len(program.sites.statements))
        self.stream = program.stream
        self.branch = "main"
        self.plan = sorted(variant.get("branches", []), key=lambda b: int(b["at"]))
        self.ends = NOW() + float(job["seconds"])
        self.builds: list[dict[str, Any]] = []
        self.native = Native(os.path.join(os.path.dirname(program.root), "native"), self.want)

    def own_paths(self) -> dict[str, str]:
        return {
            "DATA_PATH": self.program.data,
            "TOKENIZER_PATH": self.program.tokenizer,
            "DATA_DIR": os.path.join(self.program.root, "data"),
        }

    # Data ---------------------------------------------------------------------------------------------------------

    def write_stream(self, stream: np.ndarray) -> None:
        header = np.zeros(HEADER, dtype="<i4")
        header[:3] = MAGIC, VERSION, stream.size
        path = os.path.join(self.program.data, "fineweb_val_000000.bin")
        mode = "r+b" if os.path.exists(path) else "wb"
        with io.open(path, mode) as file:  # noqa: UP020
            file.write(header.tobytes() + stream.astype("<u2").tobytes())
        if self.job["sidecar"]:
            counts = self.program.lengths[stream]
            path = os.path.join(self.program.data, "fineweb_val_bytes_000000.bin")
            with io.open(path, mode if os.path.exists(path) else "wb") as file:  # noqa: UP020
                file.write(header.tobytes() + counts.astype("<u2").tobytes())

    def changed(self, changes: dict[str, int]) -> np.ndarray:
        stream: np.ndarray = self.stream.copy()
        for position, token in changes.items():
            stream[int(position)] = token
        return stream

    # Branches -----------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Fire at the moment of the next planned branch."""
        self.recorder.fire_at = int(self.plan[0]["at"]) if self.plan else None
        self.recorder.fire = self.fork_due

    def fork_due(self) -> None:
        self.recorder.busy = True
        held = memory.copies(self.stream)
        self.recorder.busy = False
        state = random.getstate()
        while self.plan and int(self.plan[0]["at"]) <= self.recorder.now:
            branch = self.plan.pop(0)
            child = os.fork()
            if child == 0:
                random.setstate(state)  # a forked Python seeds this one anew
                self.become(branch, held)
                return
            os.waitpid(child, 0)
        self.write_stream(self.changed(self.variant["changes"]))  # branches wrote theirs to the same file
        self.arm()

    def become(self, branch: dict[str, Any], held: list[memory.Copy]) -> None:
        """Turn this forked copy into `branch`: change its data and stop where nothing more is wanted."""
        self.branch = branch["name"]
        self.plan = []
        gc.freeze()  # a collection would touch, and so copy, every page that holds an object
        signal.alarm(max(1, int((self.ends - NOW()) / 2)))  # one that hangs leaves time for what it was forked from
        changes = {int(k): int(v) for k, v in branch["changes"].items()}
        self.recorder.busy = True
        memory.apply(held, self.stream, changes)
        self.write_stream(self.changed(branch["changes"]))
        self.recorder.busy = False
        if branch.get("stop"):
            self.recorder.watch = (int(branch["key"]), int(branch["stop"]))
            self.recorder.seen = self.leave

    def leave(self) -> None:
        self.report(None)
        os._exit(0)

    def want(self, build: dict[str, Any]) -> None:
        """End here, as nothing can go on without a library that the parent is to compile."""
        self.builds.append(build)
        self.report("a library has to be compiled first")
        os._exit(0)

    # Running ------------------------------------------------------------------------------------------------------

    def execute(self) -> None:
        self.write_stream(self.changed(self.variant["changes"]))
        os.chdir(self.program.root)
        program = self.program
        home = os.path.dirname(program.root)
        paths = world.Paths(home, program.data, program.tokenizer)
        world.pin_all(dict(self.job["environment"]), self.settings, paths, self.job["patience"], self.native)
        random.seed(0)
        torch.set_grad_enabled(True)
        sys.path.insert(0, os.path.dirname(self.program.script))
        sys.meta_path.insert(0, Helpers(self.program))
        setattr(builtins, self.job["hook"], self.recorder)
        setattr(builtins, self.job["hook"] + "_cover", self.cover)
        setattr(builtins, self.job["hook"] + "_run", 0)
        self.watch_losses()
        self.watch_prints()
        self.arm()
        error = None
        for words in self.job["calls"]:
            error = error or self.call(words)
        self.report(error)
        os._exit(0)

    def call(self, words: list[str]) -> str | None:
        """Run the script from its first line with the arguments `words`; return what ended it, None for its end."""
        module = types.ModuleType("__main__")
        module.__file__ = self.program.script
        sys.modules["__main__"] = module
        sys.argv = [self.program.script, *words]
        try:
            exec(self.program.main, module.__dict__)
        except SystemExit as stop:
            return None if stop.code in (None, 0) else f"SystemExit: {str(stop.code)[:300]}"
        except BaseException as problem:
            return describe(problem, self.program.script)
        return None

    def watch_losses(self) -> None:
        """Remember the per-token values behind a mean or summed cross entropy."""
        functional, recorder = torch.nn.functional, self.recorder
        real = functional.cross_entropy

        def cross_entropy(*args: Any, **kwargs: Any) -> Any:
            out = real(*args, **kwargs)
            if kwargs.get("reduction", "mean") != "none" and len(args) <= 2 and not recorder.overflow:
                with torch.no_grad():
                    each = as_array(real(*args, **{**kwargs, "reduction": "none"}))
                if each is not None and each.size > 1:
                    recorder.remember(each)
            return out

        functional.cross_entropy = cross_entropy

    def watch_prints(self) -> None:
        recorder, real = self.recorder, print

        def show(*values: Any, **kwargs: Any) -> None:
            if kwargs.get("file") not in (None, sys.stdout, sys.stderr):
                real(*values, **kwargs)
            if len(values) > 1 or (values and not isinstance(values[0], str)):
                recorder.plain(" ".join(str(v) for v in values))
            elif values:
                recorder.plain(values[0])

        builtins.print = show

    # Reporting ----------------------------------------------------------------------------------------------------

    def report(self, error: str | None) -> None:
        self.recorder.busy = True
        signal.alarm(0)
        meta: dict[str, Any] = {
            "error": error, "lines": self.recorder.lines,
            "overflow": self.recorder.overflow, "lowered": self.settings.lowered,
            "launches": Kernel.launches, "stubs": sorted(Stub.seen),
            "builds": self.builds, "refused": self.native.refused,
            "keys": {}, "coverage": self.coverage() if self.branch == "main" else {},
        }  # fmt: skip
        arrays: dict[str, np.ndarray] = {}
        for key, log in self.recorder.keys.items():
            if log.size < int(self.job["least"]):
                continue
            log.settle()
            meta["keys"][str(key)] = [*self.program.sites.keys[key], log.dropped]
            arrays[f"v{key}"] = np.concatenate(log.values)
            arrays[f"n{key}"] = np.asarray(log.lengths, dtype=np.int64)
            arrays[f"t{key}"] = np.asarray(log.times, dtype=np.int64)
            arrays[f"c{key}"] = np.asarray(log.chains, dtype=np.int64).reshape(-1, CHAIN)
        arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
        body = io.BytesIO()
        np.savez(body, **arrays)  # type: ignore[arg-type]
        send(self.writer, self.branch, body.getvalue())

    def coverage(self) -> dict[str, list[int]]:
        """Return (statements, of these executed) by function."""
        out: dict[str, list[int]] = {}
        for number, (function, _) in enumerate(self.program.sites.statements):
            row = out.setdefault(function, [0, 0])
            row[0] += 1
            row[1] += self.cover[number]
        return out


def describe(problem: BaseException, script: str) -> str:
    frames = traceback.extract_tb(problem.__traceback__)
    own = [f for f in frames if f.filename == script]
    where = f" at line {own[-1].lineno} in {own[-1].name}" if own else ""
    last = frames[-1] if frames else None
    deep = f" (raised in {os.path.basename(last.filename)}:{last.lineno})" if last and last not in own else ""
    return f"{type(problem).__name__}: {str(problem)[:400]}{where}{deep}"


def run(job: dict[str, Any], program: Program, variant: dict[str, Any], writer: int) -> None:
    """Run `variant` and send its result and those of its branches to `writer`."""
    Run(job, program, variant, writer).execute()
