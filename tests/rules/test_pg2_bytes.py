"""Rules on the bytes and the share of the text that a score is about."""

from __future__ import annotations

import pytest

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Finding, Ruling
from auditor.rules.context import RuleContext
from auditor.rules.coverage import known_to_go_on
from auditor.rules.data import cards, edition
from auditor.rules.registry import checks
from tests.interp.scripts import MODEL, REPORT, SCORE, analysed, program
from tests.measure.folders import ask, evidence, log_text, manifest
from tests.measure.folders import folder as submitted

MARK_KEPT = 1.3343
"""Bytes of the table over those of the text where the three bytes of every boundary mark are counted."""


def files(ratio: float, tokens: int = 40_540_160, claim: float = 1.08) -> dict[str, str]:
    """Return a folder whose only log implies `ratio` times the full set's bytes."""
    loss_per_bpb = 2.5831 * ratio
    log = log_text(42, bpb=1.08, loss_per_bpb=loss_per_bpb).replace("val_tokens: 40540160", f"val_tokens: {tokens}")
    return {"train_seed42.log": log, "submission.json": manifest(val_bpb=claim)}


def violations(rule: str, folder: dict[str, str]) -> list[Finding]:
    return [f for f in ask(rule, folder) if isinstance(f, Finding) and f.ruling is Ruling.VIOLATION]


@pytest.mark.parametrize("ratio", [1.0413, 1.177, MARK_KEPT])
def test_more_bytes_than_the_text_for_the_full_sets_tokens_are_a_miscount(ratio: float) -> None:
    """With the token count of the full set no other text explains them, however many they are."""
    assert violations("PG206", files(ratio))


def test_another_token_count_with_a_third_more_bytes_is_likelier_another_text() -> None:
    """A casefolded or extended text has tokens of its own."""
    assert not violations("PG206", files(MARK_KEPT, tokens=40_541_184))


def test_a_log_whose_number_is_not_the_claim_says_nothing_of_the_claims_bytes() -> None:
    """The author may have divided anew by the right count."""
    assert not violations("PG206", files(1.089, claim=1.176))


TABLE = """
import sentencepiece as spm
sp = spm.SentencePieceProcessor(model_file="tok.model")
size, space = np.zeros(1024, dtype=np.int16), np.zeros(1024, dtype=np.bool_)
for i in range(1024):
    piece = sp.id_to_piece(i)
    space[i] = piece.startswith("\u2581")
    size[i] = 1 if sp.is_byte(i) else len(piece.replace("\u2581", " ").encode("utf-8"))
def measure(net):
    nll, total = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for i in range(chunks):
            x, y = rows(val, i)
            nll += price(net, x, y).sum()
            total += (size[y.reshape(-1)] + space[y.reshape(-1)]).sum()
    return (nll / total).item()
loss = measure(net)
"""


def counting(table: str, folder: dict[str, str]) -> list[Finding]:
    """Return what is said of a script with this table beside these logs."""
    text = MODEL + table + REPORT
    loaded = program(text)
    submission = submitted({**folder, "train_gpt.py": text})
    context = RuleContext(
        cards()["PG206"], edition(), submission, loaded, analysed(text), evidence(submission, loaded), DEFAULT_LIMITS
    )
    return [f for f in checks()["PG206"](context) if isinstance(f, Finding)]


def test_a_space_counted_by_table_and_sum_is_a_miscount_where_no_log_tells_the_loss() -> None:
    found = counting(TABLE, {})
    assert [f.ruling for f in found] == [Ruling.VIOLATION]
    assert "as 5 bytes instead of 4" in found[0].message
    assert not counting(TABLE.replace(" + space[y.reshape(-1)]", ""), {})


def test_numbers_that_imply_the_bytes_of_the_text_clear_the_table() -> None:
    """Whatever the table holds, the run did not divide by it."""
    assert counting(TABLE, files(MARK_KEPT))
    assert not counting(TABLE, files(1.0))


@pytest.mark.parametrize(("loss", "clear"), [(2.06563493, True), (2.06563493 * 1.177, False)])
def test_stated_numbers_that_imply_the_bytes_of_the_text_clear_the_table(loss: float, clear: bool) -> None:
    """A file whose mark was spoiled after the run: loss and bpb are those of 62,021,632 tokens of the text."""
    stated = {"submission.json": manifest(val_bpb=1.2234027, val_loss=loss)}
    assert (counting(TABLE, stated) == []) is clear


def test_a_score_that_may_stop_at_the_start_of_the_stream_implies_no_bytes_of_all_of_it() -> None:
    """The first few thousand tokens have other bytes for each token than the whole set."""
    whole = analysed(MODEL + SCORE + "\nloss = measure(net)\n" + REPORT)
    short = SCORE.replace("for i in range(chunks)", "for i in range(min(chunks, 4))")
    assert short != SCORE
    assert known_to_go_on(whole)
    assert not known_to_go_on(analysed(MODEL + short + "\nloss = measure(net)\n" + REPORT))
