"""Hostile scripts in the real sandbox: bounded, and never clean by making something up."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

from auditor.limits import ProverLimits
from auditor.prover.examine import locate
from auditor.prover.job import Script, Shape, Variant, miniature
from auditor.prover.outcome import Outcome
from auditor.prover.prove import prove
from auditor.prover.runlog import PrintedLine, RunLog
from auditor.prover.session import Session, Undecided
from auditor.sandbox.probe import probe
from auditor.sandbox.request import SandboxLevel
from tests.prover import hostile_scripts as hostile
from tests.prover import toy_scripts as toys

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(probe().best < SandboxLevel.BWRAP, reason="the prover forks, which needs bubblewrap"),
]
LIMITS = replace(ProverLimits(), targets=256, targets_large=1 << 40, run_seconds=4.0, cpu_seconds=20)


@pytest.mark.parametrize("name", hostile.BOUNDED)
def test_what_exhausts_something_is_ended_and_undecided(name: str) -> None:
    """Forks, memory, disk, names, output, signals, processes left behind: a few runs' time, and no outcome."""
    proof = prove(toys.toy(hostile.BOUNDED[name]), budget=90, limits=LIMITS)
    assert proof.outcome is Outcome.UNDECIDED and proof.reason_class in ("crash", "no-metric", "no-result", "sandbox")
    assert proof.seconds < 80


@pytest.mark.parametrize("name", hostile.FORGERIES)
def test_a_leak_is_not_clean_by_returning_something_else(name: str) -> None:
    """Constant or replayed scores do not answer the changed tokens as a causal scorer would."""
    proof = prove(toys.toy(hostile.FORGERIES[name]), budget=90, limits=LIMITS, seeds=2)
    assert proof.outcome in (Outcome.UNDECIDED, Outcome.NONDETERMINISTIC, Outcome.LEAK), proof
    assert proof.reason_class not in ("crash", "sandbox"), proof


def test_a_script_that_leaves_where_it_sees_the_harness_is_undecided() -> None:
    """Nothing printed is nothing tested."""
    proof = prove(toys.toy(hostile.LEAVES), budget=90, limits=LIMITS)
    assert (proof.outcome, proof.reason_class) == (Outcome.UNDECIDED, "no-metric")


def test_no_run_reaches_the_channels_of_another_process() -> None:
    """The descriptors of the harness and of other runs cannot be listed, so nothing can be sent in their name."""
    mini = miniature(Shape("small"), 256, 1)
    end = time.monotonic() + 90
    with Session(Script("x.py", hostile.REACH), LIMITS, frozenset(), None, lambda text: None, end) as going:
        (log,) = going.run("x", mini, (Variant("v"),)).values()
    assert [line.numbers[-1][1] for line in log.lines] == [0.0]


def test_seeking_the_metric_ends_with_the_budget() -> None:
    """A script may print thousands of results that nothing adds up to; the parent does not look for them for ever."""
    lines = tuple(PrintedLine(f"val_bpb:{n}.123456", (("val_bpb:", n + 0.123456),), n, True) for n in range(1, 4000))
    log = RunLog(None, lines, {}, {}, (), 0, False, {})
    mini = miniature(Shape("small"), 256, 1)
    late = Session(Script("x.py", ""), LIMITS, frozenset(), None, lambda text: None, time.monotonic() - 1)
    with pytest.raises(Undecided) as stopped:
        locate(late, log, mini)
    assert stopped.value.reason_class == "budget"
