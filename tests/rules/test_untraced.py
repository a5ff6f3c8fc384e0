"""A clearance where a log carries the claim on a line that the script was not seen to print."""

from __future__ import annotations

from pathlib import Path

from tests.interp.scripts import MODEL, SCORE
from tests.rules.reports import CLAIMED, report
from tests.rules.test_inactive import SETTLED

OTHER = "step:100/100 train_loss:2.1000\nother_words val_loss:1.7700 val_bpb:1.0500\n"
"""A log with the claim on a line that no script here prints."""
LOADED = '\nimport importlib\nimportlib.import_module(os.environ["PLUGIN"]).go(net)\n'


def test_a_script_that_can_only_score_plainly_is_clean_whichever_print_it_was(tmp_path: Path) -> None:
    """Nothing that the script prints breaks a rule, so the claim does not."""
    found = report(tmp_path, MODEL + SCORE + CLAIMED, **{"train.log": OTHER})
    assert found.legality.headline is not None
    assert "no print that was followed makes train.log:" in found.legality.headline.how
    assert found.legality.verdict.value == "legal"


def test_code_that_would_break_a_rule_leaves_it_open(tmp_path: Path) -> None:
    """A switch that is off would learn before scoring: the line may be of a run with it on."""
    found = report(tmp_path, MODEL + SCORE + SETTLED + CLAIMED, **{"train.log": OTHER})
    assert found.legality.verdict.value == "unclear"
    said = [j.finding.message for j in found.findings if j.finding.rule == "PG902"]
    assert any("the script also holds prequant-val-ttt" in message for message in said)


def test_code_that_was_not_read_leaves_it_open(tmp_path: Path) -> None:
    """What a module chosen at run time does is not known."""
    found = report(tmp_path, MODEL + SCORE + LOADED + CLAIMED, **{"train.log": OTHER})
    assert found.legality.verdict.value == "unclear"


def test_a_traced_claim_is_not_doubted(tmp_path: Path) -> None:
    """The same script with the line that it prints in the log."""
    own = OTHER.replace("other_words val_loss:1.7700 val_bpb:1.0500", "final val_loss:1.77000000 val_bpb:1.05000000")
    found = report(tmp_path, MODEL + SCORE + SETTLED + CLAIMED, **{"train.log": own})
    assert found.legality.verdict.value == "legal"
