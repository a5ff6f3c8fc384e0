"""A behavioural proof as text for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.prover.outcome import Outcome
from auditor.prover.proof import Proof, as_json
from auditor.report.visible import visible

if TYPE_CHECKING:
    from auditor.usecases.prove import ProvedSubmission

_WIDE = 400
_MARK = {True: "holds", False: "VIOLATED", None: "not decided"}
_CLEAN = "This convicts or stays silent; it never acquits code that did not run."


def render_json(proved: Sequence[ProvedSubmission]) -> str:
    """Return every proof as one JSON document."""
    rows = [{"path": p.path, "script": p.script, **as_json(p.proof)} for p in proved]
    return json.dumps({"schema_version": 1, "proofs": rows}, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def render_text(proved: Sequence[ProvedSubmission]) -> str:
    """Return every proof as a block of lines."""
    return "\n".join("\n".join(block(p)) for p in proved) + "\n"


def block(item: ProvedSubmission) -> Iterator[str]:
    proof = item.proof
    yield visible(f"{item.path}: {item.script or 'no script'}", _WIDE)
    kind = f" ({proof.reason_class})" if proof.outcome is Outcome.UNDECIDED else ""
    yield f"  {proof.outcome.value}{kind}: {visible(proof.reason, _WIDE)}"
    if proof.witness is not None:
        yield f"  seen again on a second seed: {'yes' if proof.confirmed else 'no'}"
    if proof.metric is not None:
        yield from metric_lines(proof)
    for condition in proof.conditions:
        yield f"  {condition.name:<6} {_MARK[condition.holds]}: {visible(condition.established, _WIDE)}"
    if proof.sizes:
        yield from miniature_lines(proof)
    for note in proof.notes:
        yield f"  note: {visible(note, _WIDE)}"
    if proof.outcome is Outcome.CLEAN_IN_MINIATURE:
        yield f"  {_CLEAN}"


def metric_lines(proof: Proof) -> Iterator[str]:
    metric = proof.metric
    assert metric is not None
    which = {True: "the claimed number's line", False: "not the claimed number's line", None: "the last result printed"}
    yield f"  tested: {visible(metric.text, 160)} ({which[metric.headline]})"
    place = visible(f"{metric.function}, line {metric.line}, {metric.target}", 200)
    yield f"  made of: {metric.scores} scores logged at {place}; they reproduce {metric.by}"


def miniature_lines(proof: Proof) -> Iterator[str]:
    sizes = " and ".join(str(s) for s in proof.sizes)
    ran = "" if proof.coverage is None else f", {proof.coverage[1]} of {proof.coverage[0]} statements of the scorer ran"
    yield f"  miniature: {proof.shape}, {sizes} tokens, {len(proof.lowered)} settings lowered{ran}"
    if proof.kernels_skipped or proof.stubs:
        stubs = visible(", ".join(proof.stubs), 200) or "none"
        yield f"  not real: {proof.kernels_skipped} GPU kernel launches skipped; packages replaced: {stubs}"
    yield f"  {proof.seconds:.0f} s ({proof.cpu_seconds:.0f} s of CPU), {proof.confinement or 'not run'}"
