"""An evaluation script beside the one that trains: the script that made the claimed line is the one judged."""

from __future__ import annotations

from pathlib import Path

from tests.interp.scripts import MODEL, SCORE
from tests.rules.reports import CLAIMED, report

LEARNED = "\nfor i in range(chunks):\n    descend(net, opt, *rows(val, i))\n"
ADAPTED = LEARNED + CLAIMED.replace("final", "apart")
LOG = "step:100/100 train_loss:2.1000\nfinal val_loss:1.80000000 val_bpb:1.08000000\n"
APART = "apart val_loss:1.77000000 val_bpb:1.05000000\n"


def test_the_script_that_made_the_line_is_judged(tmp_path: Path) -> None:
    """The training script scores plainly; the claimed line comes from the evaluation, which learns first."""
    files = {"evaluate.py": MODEL + SCORE + ADAPTED, "train.log": LOG, "evaluate.log": APART}
    found = report(tmp_path, MODEL + SCORE + CLAIMED, **files)
    assert found.legality.classes_active == ("prequant-val-ttt",)
    assert {step.span.file for j in found.findings if j.finding.rule == "PG101" for step in j.finding.path} == {
        "evaluate.py"
    }
    assert found.script == "train_gpt.py"


def test_a_line_of_the_script_itself_needs_no_other(tmp_path: Path) -> None:
    """The claimed line is the training script's own: what another script would do is not the claim's matter."""
    files = {"evaluate.py": MODEL + SCORE + ADAPTED, "train.log": LOG.replace("1.08", "1.05")}
    found = report(tmp_path, MODEL + SCORE + CLAIMED, **files)
    assert found.legality.classes_active == ("plain-eval",)


def test_a_script_without_the_words_of_the_line_is_not_followed(tmp_path: Path) -> None:
    """Nothing in the other script prints the claimed line."""
    files = {"evaluate.py": MODEL + SCORE + ADAPTED.replace("apart", "other"), "train.log": LOG + APART}
    found = report(tmp_path, MODEL + SCORE + CLAIMED, **files)
    assert "prequant-val-ttt" not in found.legality.classes_active
