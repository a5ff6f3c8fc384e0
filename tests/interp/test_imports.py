"""Modules that are asked for by name: those that the script carries as text are followed."""

from __future__ import annotations

import pytest

from auditor.interp.graph import Kind
from tests.interp.scripts import MODEL, REPORT, analysed

CARRIED = """
import importlib, sys, types

def install(name, text):
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name, "exec"), module.__dict__)

install("lib.scores", '''
def measured(price, net, rows, val, chunks):
    total = 0.0
    for i in range(chunks):
        total += price(net, *rows(val, i)).mean()
    return total / chunks
''')
with torch.no_grad():
    loss = FOUND.measured(price, net, rows, val, chunks).item()
"""


@pytest.mark.parametrize("found", ['importlib.import_module("lib.scores")', 'sys.modules["lib.scores"]'])
def test_a_module_that_is_carried_as_text_is_followed_by_its_name(found: str) -> None:
    """The function that scores stands in the text, and its scores are behind the number."""
    made = analysed(MODEL + CARRIED.replace("FOUND", found) + REPORT)
    assert made.composition is not None
    assert {score.loss.function for score in made.composition.scores} == {"price"}
    assert len(made.composition.scores) == 4


def test_a_module_that_is_not_there_stays_unknown() -> None:
    """Code that nobody ships is noted, and nothing is made up of it."""
    made = analysed(MODEL + CARRIED.replace("FOUND", 'importlib.import_module("lib.others")') + REPORT)
    assert made.composition is None
    assert any(n.kind is Kind.DYNAMIC and n.text == "importlib.import_module" for n in made.trace.notes)
