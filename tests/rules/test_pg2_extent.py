"""How much of the stream the pass behind the number runs over, on loops that differ in one thing each."""

from __future__ import annotations

import pytest

from auditor.interp.analysis import Analysis
from auditor.model.finding import Finding
from auditor.rules.extent import covered, partial
from tests.interp.scripts import MODEL, REPORT, analysed
from tests.rules.test_pg2_bytes import files, violations

PASS = """
nll, count = torch.zeros(()), torch.zeros(())
with torch.no_grad():
    for LOOP:
        nll += price(net, *rows(val, i)).sum()
        count += CTX
loss = (nll / count).item()
"""


def scored(loop: str, before: str = "") -> Analysis:
    """Analyse a pass over windows `i`."""
    return analysed(MODEL + before + PASS.replace("LOOP", loop) + REPORT)


@pytest.mark.parametrize(
    ("loop", "stretch"),
    [
        ("i in range(min(chunks, 32))", (1, 32 * 1024 + 1)),
        ("i in range(chunks // 10, chunks)", (409 * 1024 + 1, 4096 * 1024 + 1)),
        ("i in range(0, int(chunks * 0.6))", (1, 2457 * 1024 + 1)),
    ],
)
def test_a_pass_over_the_first_windows_is_partial(loop: str, stretch: tuple[int, int]) -> None:
    """The loop ends far before the stream does, or begins far inside of it."""
    found = partial(scored(loop))
    assert found is not None
    assert (found.first, found.stop) == stretch


@pytest.mark.parametrize(
    "loop",
    [
        "i in range(chunks)",
        "i in range(1, chunks - 1)",
        "i in range(chunks // 8)",
        "i in range(chunks // 786 * 786)",
        "i in list(range(0, val.numel() - CTX, 64))[:: CTX // 64]",
        "i in (starts[k] for k in range(len(starts)))",
    ],
)
def test_a_whole_pass_or_a_process_of_eight_is_not_partial(loop: str) -> None:
    """A remainder, one of eight equal parts and a list that is held in part say nothing of the run."""
    assert partial(scored(loop, "\nstarts = list(range(chunks))\n")) is None


def test_windows_in_no_order_or_up_to_an_unknown_end_say_nothing() -> None:
    """Only a known range over stretches that follow on one another is a pass from here to there."""
    assert covered(scored("i in [7, 3, 5, 1]")) is None
    assert covered(scored("i in range(9, 0, -1)")) is None
    assert covered(scored("i in range(int(open('count.txt').read()))")) is None


def test_claimed_lines_that_name_the_bytes_of_a_part_are_of_a_part() -> None:
    """The bytes on the line, the tokens beside it and the set's bytes per token agree; those of a file do not."""
    assert len(_part("bytes=10982035", "subset=3000000 tokens")) == 1
    assert _part("bytes=10982035", "subset=300000 tokens") == []
    assert _part("bytes=10982035", "") == []
    assert _part("model_bytes=10982035", "subset=3000000 tokens") == []
    assert _part("bytes=18884778", "tokens=5067520") == []


def _part(said: str, beside: str) -> list[Finding]:
    """Return what is convicted where the claimed line says `said` and the next one `beside`."""
    made = files(1.0)
    lines = made["train_seed42.log"].splitlines()
    at = max(i for i, line in enumerate(lines) if "val_bpb" in line)
    lines[at : at + 1] = [f"{lines[at]} {said}", f"time:47.1s {beside}"]
    return violations("PG207", {**made, "train_seed42.log": "\n".join(lines)})


def test_an_inner_loop_says_nothing_of_what_an_outer_one_takes_from_a_list() -> None:
    """Of a list of documents only some may be followed: the windows of one are no pass of their own."""
    nested = PASS.replace("        nll", "            nll").replace("        count", "            count")
    outer = "at in [0]:\n        for i in range(at, at + 40)"
    assert covered(analysed(MODEL + nested.replace("LOOP", outer) + REPORT)) is None


def test_tokens_that_a_list_of_one_hands_over_are_the_same_tokens() -> None:
    """Nothing of a list of one can have been left out."""
    loop = PASS.replace("LOOP", "i in range(min(chunks, 32))").replace("rows(val", "rows([val][0]")
    assert partial(analysed(MODEL + loop + REPORT)) is not None


def test_a_generator_that_only_counts_is_a_range() -> None:
    """Drawing the windows' numbers from a generator changes nothing; where it was sampled nothing is said."""
    counting = "\ndef each(items):\n    for item in items:\n        yield item\n"
    assert partial(scored("i in each(range(min(chunks, 32)))", counting)) is not None
    assert partial(scored("i in each(range(chunks))", counting)) is None
