"""Lay out the script's surroundings and compile it, rewritten, with the local modules shipped beside it."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import shutil
import types
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.prover.child.rewrite import Sites, rewrite


@dataclass
class Program:
    """Everything a run needs: code objects, site tables and places."""

    main: types.CodeType
    helpers: dict[str, types.CodeType]
    sites: Sites
    script: str
    """Path of the script as the program sees it."""
    root: str
    """Working directory: what a checkout's top folder is to a real run."""
    data: str
    tokenizer: str
    stream: np.ndarray
    """Validation tokens of the unchanged miniature."""
    lengths: np.ndarray
    """Bytes of every token id."""


class Helpers(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import the submission's own modules in their rewritten form."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in self.program.helpers:
            return None
        origin = os.path.join(os.path.dirname(self.program.script), fullname + ".py")
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=origin)
        spec.has_location = True
        return spec

    def create_module(self, spec: Any) -> Any:
        return None

    def exec_module(self, module: Any) -> None:
        exec(self.program.helpers[module.__name__], module.__dict__)


ROOT = "repo"
FOLDER = os.path.join(ROOT, "records", "track_10min_16mb", "submission")
DATA = os.path.join(ROOT, "data", "datasets", "fineweb10B_sp1024")
TOKENIZERS = os.path.join(ROOT, "data", "tokenizers")


def lay_out(here: str) -> None:
    """Create what a checkout holds from the files of a job in `here`."""
    folder, data, tokenizers = (os.path.join(here, part) for part in (FOLDER, DATA, TOKENIZERS))
    for path in (folder, data, tokenizers, os.path.join(here, ROOT, "logs")):
        os.makedirs(path, exist_ok=True)
    shutil.copytree(os.path.join(here, "submission"), folder, dirs_exist_ok=True)
    for name in os.listdir(os.path.join(here, "data")):
        target = tokenizers if name.startswith("tokenizer") else data
        shutil.copyfile(os.path.join(here, "data", name), os.path.join(target, name))


def prepare(job: dict[str, Any], here: str) -> Program:
    """Compile. Raises SyntaxError where this Python cannot parse the script."""
    root, folder, data, tokenizers = (os.path.join(here, part) for part in (ROOT, FOLDER, DATA, TOKENIZERS))
    script = os.path.join(folder, job["script"])
    with open(os.path.join(here, "payload.py"), encoding="utf-8", newline="") as file:
        tree, sites = rewrite(file.read(), script, job["hook"])
    main = compile(tree, script, "exec", dont_inherit=True)
    helpers = {}
    for name in job["helpers"]:
        with open(os.path.join(here, "helpers", name + ".py"), encoding="utf-8", newline="") as file:
            path = os.path.join(folder, name + ".py")
            tree, sites = rewrite(file.read(), path, job["hook"], sites)
            helpers[name] = compile(tree, path, "exec", dont_inherit=True)
    stream, lengths = (np.load(os.path.join(here, "data", name)) for name in ("stream.npy", "bytes.npy"))
    return Program(
        main, helpers, sites, script, root, data, os.path.join(tokenizers, "tokenizer.model"), stream, lengths
    )
