"""What the code holds beside the claimed number: said as present, never counted against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Effect
from auditor.model.report import SubmissionReport
from tests.interp.scripts import MODEL, SCORE, analysed
from tests.rules.reports import CLAIMED, report

SETTLED = """
if int(os.environ.get("SETTLE", "0")):
    for i in range(chunks):
        descend(net, opt, *rows(val, i))
"""
AVERAGED = """
def average(net):
    for p in net.parameters():
        p.data.mul_(0.5)
if int(os.environ.get("AVERAGE", "0")):
    average(net)
"""
FIRST = CLAIMED.replace("final", "diagnostic").replace("last", "first")


def latent(found: SubmissionReport) -> list[tuple[str, str | None]]:
    """Return (rule, what enables it) of the latent findings."""
    return [(j.finding.rule, j.finding.latent) for j in found.findings if j.finding.latent is not None]


def test_a_switch_that_is_off_is_named_with_what_it_would_do(tmp_path: Path) -> None:
    """Learning before scoring stands behind a switch; another switch beside it does no harm and is not named."""
    found = report(tmp_path, MODEL + SCORE + AVERAGED + SETTLED + CLAIMED)
    assert latent(found) == [("PG101", "SETTLE=1")]
    assert found.legality.classes_active == ("plain-eval",)
    assert found.legality.classes_inactive == ("prequant-val-ttt",)
    assert found.legality.verdict.value == "legal"
    assert {j.finding.effect for j in found.findings if j.finding.latent} == {Effect.NOTE}


def test_the_same_switch_on_is_no_latent_matter(tmp_path: Path) -> None:
    """What the run did is a finding of its own."""
    found = report(tmp_path, MODEL + SCORE + AVERAGED + SETTLED.replace('"0"', '"1"') + CLAIMED)
    assert latent(found) == []
    assert found.legality.verdict.value == "illegal"


def test_a_mode_that_ends_the_function_is_no_addition(tmp_path: Path) -> None:
    """A switch whose block returns replaces the run: what comes after it is looked at as it was."""
    mode = """
def main():
    if int(os.environ.get("ONLY", "0")):
        print(measure(net))
        return
    if int(os.environ.get("SETTLE", "0")):
        for i in range(chunks):
            descend(net, opt, *rows(val, i))
    last = measure(net)
    print(f"final val_loss:{last:.8f} val_bpb:{last / math.log(2.0) * 0.4:.8f}")
main()
"""
    assert latent(report(tmp_path, MODEL + SCORE + mode)) == [("PG101", "SETTLE=1")]


def test_a_metric_printed_beside_the_claimed_one_gives_its_class_and_no_finding(tmp_path: Path) -> None:
    """A plain score before learning is there and is not what is claimed."""
    learned = SETTLED.replace('"0"', '"1"')
    found = report(tmp_path, MODEL + SCORE + FIRST + learned + CLAIMED)
    assert found.legality.classes_active == ("prequant-val-ttt",)
    assert found.legality.classes_inactive == ("plain-eval",)
    assert latent(found) == []


def test_a_program_without_switches_has_nothing_beside(tmp_path: Path) -> None:
    """Nothing is invented."""
    found = report(tmp_path, MODEL + SCORE + CLAIMED)
    assert found.legality.classes_inactive == ()
    assert latent(found) == []


def test_a_long_run_is_not_followed_twice() -> None:
    """The cap on steps decides it, and the claimed run itself is not touched by it."""
    source = MODEL + SCORE + SETTLED + CLAIMED
    assert [other.switches for other in analysed(source).beside if other.switches]
    short = replace(DEFAULT_LIMITS, interp=replace(DEFAULT_LIMITS.interp, second_steps=100))
    assert not [other.switches for other in analysed(source, limits=short).beside if other.switches]
    assert analysed(source, limits=short).headline is not None
