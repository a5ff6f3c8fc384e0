"""Bytes that a table and the evaluation count together for one piece of each sort."""

from __future__ import annotations

import pytest

from auditor.interp.sorts import BYTES
from tests.interp.scripts import MODEL, REPORT, analysed

TABLES = """
import sentencepiece as spm
sp = spm.SentencePieceProcessor(model_file="tok.model")
def tables(sp, size):
    base = np.zeros((size,), dtype=np.int16)
    space = np.zeros((size,), dtype=np.bool_)
    edge = np.ones((size,), dtype=np.bool_)
    for i in range(int(sp.vocab_size())):
        if sp.is_control(i) or sp.is_unknown(i) or sp.is_unused(i):
            continue
        edge[i] = False
        if sp.is_byte(i):
            base[i] = 1
            continue
        piece = sp.id_to_piece(i)
        if piece.startswith("\\u2581"):
            space[i] = True
            piece = piece[1:]
        base[i] = len(piece.encode("utf-8"))
    return torch.tensor(base, dtype=torch.int16), torch.tensor(space), torch.tensor(edge)
base, space, edge = tables(sp, 1024)
"""
SUM = """
def measure(net):
    nll, size = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for i in range(chunks):
            x, y = rows(val, i)
            nll += price(net, x, y).sum()
            prev, gold = x.reshape(-1), y.reshape(-1)
            each = base[gold].to(dtype=torch.int16)
            each += (space[gold] & ~edge[prev]).to(dtype=torch.int16)
            size += each.to(torch.float64).sum()
    return (nll / size).item()
loss = measure(net)
"""


def counted(tables: str = TABLES, total: str = SUM) -> set[tuple[float, ...]]:
    """Return what the sums behind the number count for a piece of each sort, where that is too much."""
    found = analysed(MODEL + tables + total + REPORT)
    assert found.incomplete == ()
    assert found.composition is not None
    assert found.composition.scores
    return {node.info["sizes"] for node in found.composition.sizes}


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def test_the_usual_table_and_sum_count_what_the_text_has() -> None:
    """The mark is taken out of the piece, and its space is added after an ordinary token."""
    assert not counted()


TWICE = (("piece = piece[1:]\n", 'base[i] = len(piece[1:].encode("utf-8")) + 1\n            continue\n'),)
BY_FLAG = (('base[i] = len(piece.encode("utf-8"))', 'base[i] = len(piece.encode("utf-8")) + int(space[i])'),)


@pytest.mark.parametrize("edits", [TWICE, BY_FLAG])
def test_a_space_in_the_table_and_again_in_the_sum_is_counted_twice(edits: tuple[tuple[str, str], ...]) -> None:
    assert counted(edited(TABLES, *edits)) == {(5.0, 1.0, 3.0)}


def test_a_space_in_the_table_alone_is_counted_once() -> None:
    """The same table, and a sum that adds nothing to it."""
    alone = edited(SUM, ("            each += (space[gold] & ~edge[prev]).to(dtype=torch.int16)\n", ""))
    assert not counted(edited(TABLES, *TWICE), alone)


@pytest.mark.parametrize("mark", ["?", "_", "\\xe2\\x96\\x81"])
def test_another_sign_than_the_mark_is_never_found(mark: str) -> None:
    """The mark stays in the piece and counts as three bytes."""
    assert counted(edited(TABLES, ('startswith("\\u2581")', f'startswith("{mark}")'))) == {(6.0, 1.0, 3.0)}


def test_a_mark_that_is_replaced_by_a_space_is_right() -> None:
    whole = edited(TABLES, ("space[i] = True\n            piece = piece[1:]", 'piece = piece.replace("\\u2581", " ")'))
    assert not counted(whole)


def test_byte_pieces_that_are_measured_by_their_name_count_six() -> None:
    named = edited(TABLES, ("        if sp.is_byte(i):\n            base[i] = 1\n            continue\n", ""))
    assert counted(named) == {(4.0, 6.0, 3.0)}


def test_byte_pieces_may_be_known_by_their_name() -> None:
    """The same without asking the tokenizer."""
    assert not counted(edited(TABLES, ("sp.is_byte(i)", 'sp.id_to_piece(i).startswith("<0x")')))


def test_a_table_made_of_a_list_is_followed() -> None:
    sizes = '[len(sp.id_to_piece(i).replace("\\u2581", " ").encode()) for i in range(1024)]'
    assert counted(TABLES + f"base = torch.tensor({sizes})\n") == {(5.0, 6.0, 3.0)}


def test_a_running_total_is_no_count_of_one_token() -> None:
    """Token by token: the total grows beyond what any piece has."""
    running = edited(
        SUM,
        (
            "            size += each.to(torch.float64).sum()\n",
            "            for one in each:\n                size = size + one\n",
        ),
    )
    assert not counted(TABLES, running)


def test_other_units_are_no_bytes() -> None:
    """Bits are counted, and divided by eight in the end."""
    bits = edited(SUM, ("each.to(torch.float64).sum()", "(each * 8).sum()"), ("(nll / size)", "(nll / size * 8)"))
    assert not counted(TABLES, bits)


def test_a_function_that_does_not_fit_leaves_the_sorts_unknown() -> None:
    """Bounds that are given by name are not followed."""
    assert not counted(edited(TABLES, *TWICE), edited(SUM, ("each.to(torch.float64).sum()", "each.clamp(max=4).sum()")))


def test_what_a_condition_leaves_open_is_not_known() -> None:
    """Which of the two tables it is hangs on a setting that nothing decides."""
    either = edited(TABLES, ("piece = piece[1:]\n", "if unknown_setting():\n                piece = piece[1:]\n"))
    assert not counted("from elsewhere import unknown_setting\n" + either)


def test_the_stand_ins_have_the_bytes_of_the_text() -> None:
    assert tuple(map(len, (b" the", b"A", b"ing"))) == BYTES
