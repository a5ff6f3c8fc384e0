"""An accusation where nothing says which printed metric is the claimed number."""

from __future__ import annotations

from pathlib import Path

from tests.interp.scripts import MODEL, SCORE
from tests.measure.folders import log_text
from tests.rules.reports import report

FIRST = """
def learn(net):
    nll, count = torch.zeros(()), torch.zeros(())
    for i in range(chunks):
        x, y = rows(val, i)
        with torch.no_grad():
            loss = price(net, x, y)
        nll += loss.sum()
        count += y.numel()
        descend(net, opt, x, y)
    return (nll / count).item()
first = learn(net)
print(f"alpha val_bpb:{first / math.log(2.0) * 0.4:.8f}")
"""
"""A score of every chunk before it is learned from."""
PLAIN = """
first = measure(net)
print(f"alpha val_bpb:{first / math.log(2.0) * 0.4:.8f}")
"""
SECOND = """
for i in range(chunks):
    descend(net, opt, *rows(val, i))
second = measure(net)
print(f"beta val_bpb:{second / math.log(2.0) * 0.4:.8f}")
"""
"""A score of what has been learned."""


def test_an_adapted_number_that_breaks_no_rule_may_be_the_claimed_one(tmp_path: Path) -> None:
    """Two adapted numbers are printed; the last breaks a rule, the first does not: neither flag nor clean."""
    found = report(tmp_path, MODEL + SCORE + FIRST + SECOND)
    assert found.verdict.value == "NEEDS_REVIEW"
    assert found.legality.verdict.value == "unclear"
    assert any("whether this is the claimed number is not known" in j.finding.message for j in found.findings)


def test_a_plain_score_beside_an_adapted_one_is_its_baseline(tmp_path: Path) -> None:
    """An author who adapts claims the adapted number."""
    assert report(tmp_path, MODEL + SCORE.replace("def measure", "def first_measure") + SCORE + PLAIN.replace(
        "measure(net)", "first_measure(net)") + SECOND).verdict.value == "COMPLIANCE_FLAG"  # fmt: skip


def test_a_claim_on_a_log_line_that_the_script_never_prints_names_no_metric(tmp_path: Path) -> None:
    """The log is of other code: the last metric that this script prints is not the claimed one for sure."""
    script = MODEL + SCORE.replace("def measure", "def first_measure") + SCORE
    script += PLAIN.replace("measure(net)", "first_measure(net)") + SECOND
    log = log_text(42, bpb=1.05, name="gamma_delta_epsilon_zeta")
    assert report(tmp_path, script, **{"train_seed42.log": log}).verdict.value != "COMPLIANCE_FLAG"


def test_a_violation_behind_every_metric_stands(tmp_path: Path) -> None:
    """Whichever is claimed, it came after learning from what it scores."""
    again = SECOND.replace("beta", "gamma")
    found = report(tmp_path, MODEL + SCORE + SECOND + again)
    assert found.verdict.value == "COMPLIANCE_FLAG"
