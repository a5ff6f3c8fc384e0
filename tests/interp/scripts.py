"""Small submissions made of text, interpreted or analysed in memory."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from auditor.frontend.program import load_program
from auditor.interp.analyse import analyse
from auditor.interp.analysis import Analysis
from auditor.interp.leaks import Way
from auditor.interp.machine import World
from auditor.interp.run import Run, run
from auditor.limits import DEFAULT_LIMITS, InterpLimits, Limits
from auditor.model.source import Program
from tests.measure.folders import evidence, folder

MODEL = """
import glob, math, os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

CTX = 1024

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(1024, 64)
        self.layers = nn.ModuleList([nn.Linear(64, 64) for _ in range(6)])
    def forward(self, ids):
        x = self.emb(ids)
        for layer in self.layers:
            x = layer(x)
        return F.linear(x, self.emb.weight)

def read(pattern):
    files = sorted(glob.glob(pattern))
    shards = [np.memmap(f, dtype=np.uint16, mode="r", offset=1024) for f in files]
    return torch.from_numpy(np.concatenate(shards).astype(np.int64))

def price(net, x, y):
    out = net(x)
    return F.cross_entropy(out.view(-1, 1024), y.reshape(-1), reduction="none")

def rows(tokens, i):
    part = tokens[i * CTX : (i + 1) * CTX + 1]
    return part[:-1].view(1, CTX), part[1:].view(1, CTX)

def descend(net, opt, x, y):
    loss = price(net, x, y).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()

train = read("./data/datasets/fineweb10B_sp1024/fineweb_train_*.bin")
val = read("./data/datasets/fineweb10B_sp1024/fineweb_val_*.bin")
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(100):
    trained = price(net, *rows(train, step)).mean()
    trained.backward()
    opt.step()
    opt.zero_grad()
chunks = (val.numel() - 1) // CTX
"""
"""A model that has been trained on training shards, the validation tokens, and helpers to score and descend."""

SCORE = """
def measure(net):
    nll, count = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for i in range(chunks):
            x, y = rows(val, i)
            loss = price(net, x, y)
            nll += loss.sum()
            count += y.numel()
    return (nll / count).item()
"""
REPORT = """
print(f"final val_bpb: {loss / math.log(2.0) * 0.4:.6f}")
"""


def program(source: str, helpers: Mapping[str, str] | None = None) -> Program:
    """Return the program whose script is `source`."""
    loaded = load_program(folder({"train_gpt.py": textwrap.dedent(source), **(helpers or {})}), "3.12", DEFAULT_LIMITS)
    assert loaded is not None
    return loaded


def interpret(
    source: str,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    limits: InterpLimits | None = None,
) -> Run:
    """Interpret a script in a world of these environment variables and logged settings."""
    world = World(dict(environ or {}), dict(overrides or {}))
    return run(program(source), world, limits or DEFAULT_LIMITS.interp)


def variables(source: str, **world: Any) -> dict[str, Any]:
    """Interpret a script to its end and return its module-level names."""
    done = interpret(source, **world)
    assert done.stopped == ""
    assert done.machine.raised == []
    return done.machine.modules["__main__"].scope.variables


def analysed(source: str, files: Mapping[str, str] | None = None, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """Interpret a script and say what its headline number is made of; `files` are logs and the like."""
    submission = folder({"train_gpt.py": textwrap.dedent(source), **(files or {})})
    loaded = load_program(submission, "3.12", DEFAULT_LIMITS)
    assert loaded is not None
    return analyse(loaded, submission, evidence(submission, loaded), limits)


def ways(source: str) -> set[Way]:
    """Return how scored tokens had been learned from before, in a script that ends with `loss` in hand."""
    found = analysed(MODEL + textwrap.dedent(source) + REPORT)
    assert found.incomplete == ()
    assert found.composition is not None
    assert found.composition.scores
    return {leak.way for leak in found.leaks}
