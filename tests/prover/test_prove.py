"""The whole proof on toy scripts in the real sandbox: convictions with witnesses, clean scorers, bounded hostility."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

from auditor.limits import ProverLimits
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Proof, as_json
from auditor.prover.prove import prove
from auditor.sandbox.probe import probe
from auditor.sandbox.request import SandboxLevel
from tests.prover import toy_scripts as toys

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(probe().best < SandboxLevel.BWRAP, reason="the prover forks, which needs bubblewrap"),
]
LIMITS = replace(ProverLimits(), targets=512, run_seconds=60.0)


def proof_of(source: str, seeds: int = 1, budget: float = 240.0, conditions: str = "c1 c2 c3 c4") -> Proof:
    """Prove a toy script on a small stream; the large stream would need a larger budget."""
    limits = replace(LIMITS, targets_large=1 << 40)
    return prove(toys.toy(source), seeds=seeds, budget=budget, limits=limits, conditions=frozenset(conditions.split()))


def test_a_score_first_scorer_is_clean() -> None:
    """Learning from a chunk after its score changes later scores only; sums are 1, bytes are those of the text."""
    proof = proof_of(toys.SCORE_FIRST)
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof
    assert {c.name: c.holds for c in proof.conditions} == {"C1+C3": True, "C2": True, "C4": True, "bytes": True}
    assert proof.metric is not None and proof.metric.scores == 512


def test_learning_before_scoring_is_a_confirmed_leak() -> None:
    """A scorer that learns from everything first is convicted with a witness that a second seed repeats."""
    proof = proof_of(toys.LEARN_ALL, seeds=2)
    assert proof.outcome is Outcome.LEAK, proof
    assert proof.confirmed and proof.witness is not None
    assert as_json(proof)["witness"]["confirmed_on_second_seed"] is True


def test_what_a_script_learned_in_one_run_is_not_found_in_the_next() -> None:
    """Weights that were adapted to the first text and kept would make every later run look causal."""
    proof = proof_of(toys.LEARN_SAVED, conditions="c1 c3")
    assert proof.witness is not None, proof


def test_what_is_measured_on_the_first_tokens_alone_is_seen() -> None:
    """Calibration on the start of the text moves no score that later tokens could show, and is a leak all the same."""
    proof = proof_of(toys.CALIBRATED, conditions="c1")
    assert proof.witness is not None and proof.witness.position == 32 > proof.witness.element + 1, proof


def test_an_expert_that_pays_any_token_is_not_normalised() -> None:
    """Mass for whatever occurs is seen in the sum over the vocabulary, and needs a second seed to count."""
    proof = proof_of(toys.EXPERT)
    assert proof.outcome is Outcome.UNDECIDED and proof.reason_class == "not-repeated"
    assert proof.witness is not None and proof.witness.after > 5


def test_a_leak_inside_a_chunk_is_seen() -> None:
    """Counting a chunk's tokens before scoring it couples neighbouring scores."""
    proof = proof_of(toys.LEARN_FIRST, conditions="c1 c3")
    assert proof.witness is not None, proof


def test_another_order_of_scoring_is_no_leak() -> None:
    """Chunks scored from the last to the first, each before it is learnt from, break no condition."""
    proof = proof_of(toys.BACKWARDS)
    assert proof.witness is None
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        (toys.FINISHED, Outcome.CLEAN_IN_MINIATURE, ""),
        (toys.STORED_BACKWARDS, Outcome.CLEAN_IN_MINIATURE, ""),
        (toys.FINISHED_BACKWARDS, Outcome.UNDECIDED, "order"),
    ],
)
def test_scores_that_are_added_up_later_convict_nobody(source: str, outcome: Outcome, reason: str) -> None:
    """Their order in the sum is none of time: what was scored first may stand last."""
    proof = proof_of(source)
    assert proof.witness is None and (proof.outcome, proof.reason_class) == (outcome, reason), proof


def test_a_finished_array_in_which_tokens_know_of_each_other_is_a_leak() -> None:
    """Whichever of two tokens was scored first was scored knowing the other."""
    proof = proof_of(toys.FINISHED_KNOWING, seeds=2)
    assert proof.outcome is Outcome.LEAK and proof.witness is not None, proof
    assert proof.witness.kind == "each other's scores"


def test_what_a_fork_changed_on_disk_is_put_back() -> None:
    """A script that reads its shard after the fork gets the unchanged one: the run that goes on repeats the first."""
    proof = proof_of(toys.REREAD)
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof


def test_the_last_validation_of_the_training_is_tested_where_nothing_else_is_printed() -> None:
    """A script that ends and only ever reported its progress has that line for its score."""
    proof = proof_of(toys.PLAIN.replace("final_exact", "step:3/3"), conditions="c1 c4")
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof


def test_the_world_answers_as_a_real_one_does() -> None:
    """A script that asserts so gets to its score."""
    head, rest = toys.PLAIN.split("draw = ", 1)
    proof = proof_of(head + toys.WORLD + "draw = " + rest, conditions="c1 c4")
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof


def test_clean_says_that_kernels_did_not_run() -> None:
    """What a skipped kernel computes was not seen, and the outcome's own sentence says so."""
    proof = proof_of(toys.UNKNOWN_KERNEL + toys.PLAIN, conditions="c1 c4")
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof
    assert proof.kernels_skipped == 2 and "2 launches of GPU kernels were skipped" in proof.reason


def test_a_script_that_is_called_twice_is_run_in_both_calls() -> None:
    """The likeliest call alone prints no score; all in turn, in one scratch, do."""
    script = replace(toys.toy(toys.STAGES), calls=(("--train",),), stages=(("--train",), ("--eval",)))
    proof = prove(script, seeds=1, budget=240, limits=replace(LIMITS, targets_large=1 << 40))
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof


def test_bytes_counted_twice_are_seen() -> None:
    """A denominator that counts leading spaces twice does not match the text."""
    assert proof_of(toys.BYTES).outcome is Outcome.BYTES_DIFFER


@pytest.mark.parametrize(
    ("source", "reason_class"), [(toys.NO_METRIC, "no-metric"), (toys.CRASH, "crash"), (toys.FORGED, "no-result")]
)
def test_scripts_without_a_result_are_undecided(source: str, reason_class: str) -> None:
    """No metric, a crash, or an exit that forges frames on every descriptor: UNDECIDED with the class of reason."""
    proof = prove(toys.toy(source), budget=120, limits=replace(LIMITS, run_seconds=6.0))
    assert proof.outcome is Outcome.UNDECIDED
    assert proof.reason_class in (reason_class, "sandbox", "no-metric")


def test_a_script_that_never_ends_is_bounded() -> None:
    """An endless run costs no more than its time."""
    limits = replace(LIMITS, run_seconds=3.0, cpu_seconds=20)
    proof = prove(toys.toy(toys.FOREVER), budget=120, limits=limits)
    assert proof.outcome is Outcome.UNDECIDED
    assert proof.seconds < 100
