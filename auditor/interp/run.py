"""Interpret a program in one world and hand back the machine with everything that happened in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auditor.errors import BudgetExceeded
from auditor.interp.machine import (
    BreakSignal,
    ContinueSignal,
    Frame,
    Machine,
    RaiseSignal,
    ReturnSignal,
    World,
)
from auditor.interp.statements import execute
from auditor.interp.values import ModuleInfo
from auditor.limits import InterpLimits
from auditor.model.source import Module, Program


@dataclass(frozen=True, slots=True)
class Run:
    """One interpretation: the machine at its end, and why it ended early where it did."""

    machine: Machine
    stopped: str = ""
    """A sentence, empty where the program was followed to its end."""


def run(program: Program, world: World, limits: InterpLimits) -> Run:
    """Interpret the program's entry point; never raises for anything that the program does."""
    machine = Machine(world, limits)
    machine.shipped = tuple((native.file, native.text) for native in program.natives)
    for helper in program.helpers:
        _register(machine, helper)
    main = program.main
    if main.tree is None:
        return Run(machine, "the script does not parse")
    module = ModuleInfo("__main__", main.file, main.layer, main.tree)
    module.scope.variables["__name__"] = "__main__"
    machine.modules["__main__"] = module
    stopped = ""
    try:
        for index, outer in enumerate(main.outer):
            if outer is not None and index != main.layer:
                _enter(machine, ModuleInfo("__shim__", main.file, index, outer))
        # What a decoded shim runs is the payload below, so that its exec and decompression are no events.
        machine.notes.clear()
        with np.errstate(all="ignore"):
            _enter(machine, module)
    except BudgetExceeded as error:
        stopped = str(error)
    except RecursionError:
        stopped = "nesting of the program exceeds the interpreter's stack"
    return Run(machine, stopped)


def _register(machine: Machine, helper: Module) -> None:
    if helper.tree is not None:
        machine.sources[helper.name] = (helper.file, helper.layer, helper.tree)
        tail = helper.name.rsplit(".", 1)[-1]
        machine.sources.setdefault(tail, (helper.file, helper.layer, helper.tree))


def _enter(machine: Machine, module: ModuleInfo) -> None:
    machine.frames = [Frame(machine.ident(), "<module>", module, module.scope)]
    try:
        execute(machine, module.tree.body)
    except RaiseSignal as signal:
        # What the program raises ends it as it would end a run; the place is kept, since an early one hides the rest.
        machine.raised.append((signal.name, signal.span))
    except (ReturnSignal, BreakSignal, ContinueSignal):
        return
