"""Where another script of the folder printed the claimed number: an evaluation of its own beside the one that trains.

The trained script stays what is run, packed and measured; the eval path that is judged is the one that made the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from auditor.interp.analysis import Analysis
from auditor.limits import Limits
from auditor.model.evidence import Evidence
from auditor.model.logs import Metric
from auditor.model.source import Program
from auditor.model.submission import FileKind, Submission

MOST = 3
"""Further scripts that are followed; real folders hold one evaluation script, or one per seed."""
_LABEL = re.compile(r"([^\d\s][^\d]{2,})$")


def evaluator(
    program: Program, analysis: Analysis, submission: Submission, evidence: Evidence, target: str, limits: Limits
) -> tuple[Program, Analysis] | None:
    """Return another script's program and analysis where that script, and not the given one, prints the claimed line.

    Its program holds the modules of the given one too, so that nothing that was read is lost.
    """
    from auditor.interp.analyse import analyse

    carrier = evidence.headline.metric
    if carrier is None or (analysis.headline is not None and not analysis.headline.untraced):
        return None
    for other in _with_label(program, carrier, submission, target, limits):
        found = analyse(other, submission, evidence, limits)
        if found.headline is not None and found.headline.certain:
            known = {module.file for module in (other.main, *other.helpers)}
            more = tuple(module for module in (program.main, *program.helpers) if module.file not in known)
            return replace(other, helpers=(*other.helpers, *more)), found
    return None


def _with_label(
    program: Program, carrier: Metric, submission: Submission, target: str, limits: Limits
) -> Iterator[Program]:
    """Yield the programs of other scripts whose text holds what stands before the number on the claimed line."""
    from auditor.frontend.program import load_program

    label = _label(carrier)
    tried = 0
    for entry in submission.files:
        scripted = entry.path.endswith(".py") and entry.kind is FileKind.REGULAR and entry.path != program.main.file
        if not (scripted and label and entry.data and tried < MOST):
            continue
        other = load_program(replace(submission, script=entry.path), target, limits)
        if other is not None and other.main.tree is not None and label in other.main.unpacked.payload.text:
            tried += 1
            yield other


def _label(carrier: Metric) -> str:
    """Return the text right before the number on a metric's line, empty where there is next to none."""
    shown = f"{carrier.bpb:.4f}"[:-1] if carrier.bpb is not None else ""
    before = carrier.raw.partition(shown)[0] if shown and shown in carrier.raw else ""
    found = _LABEL.search(before)
    return found[1].strip() if found else ""
