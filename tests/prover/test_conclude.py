"""One outcome from what was found: what is not tested to its end is never clean, and another line convicts nobody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("numpy")

from auditor.prover import conclude
from auditor.prover.causality import Causality
from auditor.prover.conclude import decided, outcome_of
from auditor.prover.counting import Bytes, Coverage
from auditor.prover.normalise import Sum
from auditor.prover.outcome import Outcome
from auditor.prover.witness import Witness

SESSION: Any = SimpleNamespace(conditions=frozenset({"c1", "c2", "c3", "c4"}))
WITNESS = Witness("suffix", 1024, -1, -1, 3, 1.0, 2.0, "x")


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        conclude, "counts", lambda found: (Coverage(found.scores, 10, ""), Bytes(None, 30.0, found.ratio))
    )


def found(**given: Any) -> Any:
    """Return an examination of which everything was tested and holds, but for what is `given`."""
    total = Sum(5, (4,), 4, 1.0, 32, True, True, 0.3)
    whole = {
        "deterministic": True, "leak": None, "excess": None, "headline": True, "scores": 10, "ratio": 1.0,
        "order": Causality(True, "stream", None), "sums": [total], "log": SimpleNamespace(launches=0),
    }  # fmt: skip
    return SimpleNamespace(**{**whole, **given})


@pytest.mark.parametrize(
    ("given", "confirmed", "outcome"),
    [
        ({}, None, (Outcome.CLEAN_IN_MINIATURE, "")),
        ({"deterministic": False, "leak": WITNESS}, True, (Outcome.NONDETERMINISTIC, "nondeterministic")),
        ({"deterministic": None}, None, (Outcome.UNDECIDED, "no-result")),
        ({"leak": WITNESS}, True, (Outcome.LEAK, "")),
        ({"leak": WITNESS}, False, (Outcome.UNDECIDED, "not-repeated")),
        ({"leak": WITNESS, "headline": False}, True, (Outcome.UNDECIDED, "headline-not-reached")),
        ({"ratio": 1.2}, None, (Outcome.BYTES_DIFFER, "")),
        ({"ratio": 1.2, "headline": False}, None, (Outcome.UNDECIDED, "headline-not-reached")),
        ({"scores": 16}, None, (Outcome.RESCORED, "")),
        ({"order": Causality(None, "unknown", None, "why")}, None, (Outcome.UNDECIDED, "order")),
        ({"sums": []}, None, (Outcome.UNDECIDED, "sums")),
    ],
)
def test_one_outcome(given: dict[str, Any], confirmed: bool | None, outcome: tuple[Outcome, str]) -> None:
    """Worst first, and nothing of a line that is not the claimed one."""
    assert outcome_of(SESSION, found(**given), confirmed)[:2] == outcome


def test_what_no_condition_asks_for_is_no_outcome() -> None:
    """Scores that come twice are of the fourth condition."""
    some: Any = SimpleNamespace(conditions=frozenset({"c1"}))
    assert outcome_of(some, found(scores=16, sums=[]), None)[0] is Outcome.CLEAN_IN_MINIATURE


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, True),
        ({"leak": WITNESS, "order": None}, True),
        ({"order": Causality(None, "unknown", None, "why")}, False),
        ({"deterministic": None}, False),
        ({"sums": []}, False),
    ],
)
def test_a_longer_text_counts_as_tested_where_it_decided(given: dict[str, Any], said: bool) -> None:
    """Else the report names the shorter one only."""
    assert decided(SESSION, found(**given)) is said
