"""When a longer text is run: numbers that a script compares with, and what the longer text shows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sentencepiece")

from auditor.prover import again, plan
from auditor.prover.causality import Probe
from auditor.prover.job import Variant
from auditor.prover.session import Undecided
from auditor.prover.thresholds import thresholds


@pytest.mark.parametrize(
    "source",
    [
        "if seen < 10_000:\n    pass",
        "if 10000.0 <= seen:\n    pass",
        "def start(self):\n    self.warm = 10000\ndef ready(self):\n    return self.n > self.warm",
        "def mix(n, least=10000):\n    return n >= least",
        "def mix(n, *, least):\n    return n >= least\nmix(5, least=10000)",
    ],
)
def test_a_number_that_something_is_compared_with_is_found(source: str) -> None:
    """Written in the comparison, or bound to a name in one: as an attribute, a default or an argument."""
    assert thresholds([source], 2048, 16384) == (10000,)


@pytest.mark.parametrize(
    "source",
    [
        "if seen < 2000 or seen < 20_000:\n    pass",
        "if w.numel() > 10000:\n    pass",
        "width = 10000\nheads = width // 64",
        "if n == 10000:\n    pass",
        "steps = int(os.environ.get('ITERATIONS', 10000))\nif step < steps:\n    pass",
        "if loss < float('inf') or loss < 1e309:\n    pass",
        "if (:",
    ],
)
def test_other_numbers_ask_for_no_longer_text(source: str) -> None:
    """Outside the range, counting weights, never compared, a setting that the miniature lowers, no number at all."""
    assert thresholds([source], 2048, 16384) == ()


@pytest.mark.parametrize(("exceeding", "groups"), [(0, [2]), (3, [2, 2]), (5, [2, 2, 1, 1]), (None, [2, 2, 1, 1, 1])])
def test_a_second_seed_looks_at_every_position_before_it_gives_up(
    monkeypatch: pytest.MonkeyPatch, exceeding: int | None, groups: list[int]
) -> None:
    """First where the first seed saw it, then elsewhere, then further on: other text may have other contexts there."""
    mini = SimpleNamespace()
    found = SimpleNamespace(site=None, excess=None, mini=mini)
    summed, further = (90, 60, 30, 100), (25, 55, 75)
    asked: list[int] = []

    def sum_at(session: object, found: SimpleNamespace, group: dict[int, int], late: bool) -> None:
        asked.append(len(group))
        found.excess = (exceeding is not None and (*summed, *further)[exceeding] in group) or None

    monkeypatch.setattr(again, "located", lambda session, mini, known: (found, {}))
    monkeypatch.setattr(again.plan, "own_in_stream_order", lambda positions, site: {p: p - 1 for p in positions})
    monkeypatch.setattr(again.plan, "sum_positions", lambda mini: list(summed))
    monkeypatch.setattr(again.plan, "further_changes", lambda mini: dict.fromkeys(further, 4))
    monkeypatch.setattr(again, "sum_at", sum_at)
    session = SimpleNamespace(left=lambda: 100.0)
    first = SimpleNamespace(site=None, excess=SimpleNamespace(position=summed[1]), mini=mini, late=False)
    assert again.sums_again(session, mini, first) is (exceeding is not None)  # type: ignore[arg-type]
    assert asked == groups


def test_where_forks_came_too_late_the_second_seed_forks_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first seed needed for its sum the second needs too, and begins where the first one saw the excess."""
    asked: list[tuple[list[int], bool]] = []
    found = SimpleNamespace(site=None, excess=None, mini=None)

    def sum_at(session: object, found: SimpleNamespace, group: dict[int, int], late: bool) -> None:
        asked.append((list(group), late))
        found.excess = True

    monkeypatch.setattr(again, "located", lambda session, mini, known: (found, {}))
    monkeypatch.setattr(again.plan, "own_in_stream_order", lambda positions, site: {p: p - 1 for p in positions})
    monkeypatch.setattr(again.plan, "sum_positions", lambda mini: [90, 60, 30])
    monkeypatch.setattr(again.plan, "further_changes", lambda mini: {})
    monkeypatch.setattr(again, "sum_at", sum_at)
    first = SimpleNamespace(site=None, excess=SimpleNamespace(position=30), mini=None, late=True)
    session = SimpleNamespace(left=lambda: 100.0)
    assert again.sums_again(session, SimpleNamespace(), first)  # type: ignore[arg-type]
    assert asked == [([30], True)]


@pytest.mark.parametrize(
    ("position", "moved", "repeated", "ordered", "shown"),
    [
        (plan.EARLY, 3, None, True, True),
        (plan.EARLY, 40, None, True, False),
        (70, 40, None, True, True),
        (70, 90, None, True, False),
        (70, None, None, True, False),
        (70, 3, 5, True, "equal runs"),
        (70, 3, None, False, "order"),
    ],
)
def test_an_earlier_score_must_move_on_a_second_seed_too(
    monkeypatch: pytest.MonkeyPatch, position: int, moved: int | None, repeated: int | None, ordered: bool,
    shown: bool | str,
) -> None:  # fmt: skip
    """The change that showed it is made again, beside an equal run, and the order of scoring is looked at again.

    In whole runs, where forks move nothing.
    """
    made: list[Variant] = []
    found = SimpleNamespace(site=SimpleNamespace(values=np.zeros(100)), mini=None)

    def located(*given: object) -> tuple[SimpleNamespace, dict[str, str]]:
        made.extend(v for v in given if isinstance(v, Variant))
        return found, {}

    def block_probe(logs: object, found: object, name: str, start: int) -> Probe:
        return Probe(start, -1, -1, {"repeat": repeated, "changed": moved}[name], 1, True, np.ones(100))

    monkeypatch.setattr(again, "located", located)
    monkeypatch.setattr(again, "block_probe", block_probe)
    monkeypatch.setattr(again, "fork", lambda *given: {})
    singles = [Probe(p, 0, 0, p - 1 if ordered else 0, 1, True) for p in (9, 10, 11)]
    monkeypatch.setattr(again, "probes_of", lambda *given: singles if moved == 3 else [])
    monkeypatch.setattr(again, "full_probes", lambda *given: singles)
    monkeypatch.setattr(again.plan, "suffix_start", lambda mini: 64)
    monkeypatch.setattr(again.plan, "suffix_changes", lambda mini: {70: 5})
    monkeypatch.setattr(again.plan, "early_changes", lambda mini: {plan.EARLY: 5})
    monkeypatch.setattr(again.plan, "late_changes", lambda mini: {})
    first = SimpleNamespace(site=None, leak=SimpleNamespace(position=position))
    session = SimpleNamespace()
    if isinstance(shown, str):
        with pytest.raises(Undecided, match=shown):
            again.suffix_again(session, session, first)  # type: ignore[arg-type]
    else:
        assert again.suffix_again(session, session, first) is shown  # type: ignore[arg-type]
    assert made == [Variant("repeat"), Variant("changed", {position: 5})]


@pytest.mark.parametrize(
    ("blocks", "draws", "shown"), [([0], 1, True), ([7, None, 3], 3, True), ([7, 8, 9, 5], 4, False)]
)
def test_what_one_change_does_not_flip_another_may(
    monkeypatch: pytest.MonkeyPatch, blocks: list[int | None], draws: int, shown: bool
) -> None:
    """Any stretch before and any after that move the same first score prove the leak, whatever they were changed to."""
    suffixes, asked = [0, 3, 40, 41], []
    site = SimpleNamespace(values=np.ones(50), timed=True, key=1)
    found = SimpleNamespace(site=site, mini=None)

    def block_probe(logs: object, found: object, name: str, start: int) -> Probe:
        asked.append(name)
        first = {"repeat": None, "block": blocks[len(asked) // 2 - 1], "suffix": suffixes[len(asked) // 2 - 1]}[name]
        return Probe(start, -1, -1, first, 1, True, np.ones(50))

    monkeypatch.setattr(again, "located", lambda *given: (found, {}))
    monkeypatch.setattr(again, "stretches", lambda mini, draw: (Variant("block"), Variant("suffix")))
    monkeypatch.setattr(again, "block_probe", block_probe)
    monkeypatch.setattr(again.plan, "suffix_start", lambda mini: 25)
    session = SimpleNamespace(left=lambda: 100.0, run=lambda *given, only: {})
    mini = SimpleNamespace(stream=np.zeros(50))
    assert again.leaks_again(session, mini, site) is shown  # type: ignore[arg-type]
    assert len(asked) == 1 + 2 * draws
