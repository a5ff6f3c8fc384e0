"""Training data in the evaluation: only what is read in a call that scores counts."""

from __future__ import annotations

import pytest

from auditor.limits import DEFAULT_LIMITS
from auditor.model.finding import Finding
from auditor.rules.context import RuleContext
from auditor.rules.data import cards, edition
from auditor.rules.registry import checks
from tests.interp.scripts import MODEL, REPORT, analysed, program
from tests.measure.folders import evidence, folder

MAIN = """
class Loader:
    def __init__(self):
        self.tokens = read("./data/datasets/fineweb10B_sp1024/fineweb_train_*.bin")

def first(net):
    EARLY
    return sum(price(net, *rows(val, i)).mean() for i in range(0, chunks, 2))

def second(net):
    return sum(price(net, *rows(val, i)).mean() for i in range(1, chunks, 2))

def main():
    fresh = Net()
    opt = torch.optim.SGD(fresh.parameters(), lr=0.1)
    loader = Loader()
    for step in range(100):
        price(fresh, *rows(loader.tokens, step)).mean().backward()
        opt.step()
    AGAIN
    one = first(fresh)
    loader = Loader()
    return (one + second(fresh)) / chunks

loss = main().item()
"""
REST = MODEL.split("net = Net()")[0] + "chunks = (val.numel() - 1) // CTX\n"


def reads(early: str = "pass", again: str = "pass") -> list[str]:
    """Return what is said of a program whose `main` trains, and scores in two calls."""
    text = REST + MAIN.replace("EARLY", early).replace("AGAIN", again) + REPORT
    submission, loaded = folder({"train_gpt.py": text}), program(text)
    known = evidence(submission, loaded)
    context = RuleContext(cards()["PG303"], edition(), submission, loaded, analysed(text), known, DEFAULT_LIMITS)
    return [item.message for item in checks()["PG303"](context) if isinstance(item, Finding)]


@pytest.mark.parametrize("again", ["pass", "loader = Loader()"])
def test_a_loader_of_the_program_that_trains_is_no_read_while_scoring(again: str) -> None:
    """Where two calls make the number, the call that holds both is the whole program."""
    assert reads(again=again) == []


def test_a_shard_that_one_of_the_scoring_calls_opens_is_one() -> None:
    """The same program, one edit away."""
    assert len(reads(early="loader = Loader()")) == 1
