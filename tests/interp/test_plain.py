"""Loops over plain numbers: the compiled way must leave behind what the general way leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.interp import comprehensions, loops
from auditor.interp.values import Sym
from tests.interp.scripts import variables

PROGRAMS = {
    "windows by chunk": """
    total, stride, seq, chunk = 4000, 64, 256, 512
    starts = [w for w in range(0, total, stride) if min(w + seq, total) - w >= 1]
    chunks = [[] for _ in range((total + chunk - 1) // chunk)]
    for w in starts:
        end = min(w + seq, total)
        first = 0 if w == 0 else max(end - w - stride, 0)
        chunks[min((w + first) // chunk, len(chunks) - 1)].append(w)
    """,
    "documents cut to length": """
    edges, pieces = [0, 100, 900, 1000], []
    for i in range(len(edges) - 1):
        at = edges[i]
        while at < edges[i + 1]:
            pieces.append((at, min(at + 150, edges[i + 1])))
            at += 150
    """,
    "a counter shared by chunks": """
    segments = [(i * 10, i * 10 + 10) for i in range(200)]
    at, taken = 0, []
    for start in range(0, 2000, 500):
        mine = []
        while at < len(segments) and segments[at][0] < start + 500:
            piece = segments[at]
            if piece[1] > start + 500:
                raise ValueError("not aligned")
            mine.append(piece)
            at += 1
        taken.append(len(mine))
    """,
    "break, continue and else": """
    kept, last = [], None
    for i in range(40):
        if i < 5:
            continue
        if i > 30:
            last = i
            break
        kept.append(-i if not i > 10 else i * 2 + 1)
    """,
    "a value that is not plain": """
    kept, names = [], {"a": 1}
    for i in range(30):
        kept.append(i)
        if i == 20:
            names["b"] = kept
        kept.append(len(names))
    """,
    "division by zero halfway": """
    kept = []
    for i in range(20):
        kept.append(i)
        ratio = 10 // (12 - i)
        kept.append(ratio)
    """,
    "numbers beyond any size": """
    n = 3
    for i in range(40):
        n = n * n
    """,
    "loops in loops": """
    table = []
    for i in range(12):
        row = []
        for j in range(i):
            row.append(i * j if i != j else None)
        table.append(row)
    """,
}


def shown(value: Any) -> Any:
    """Replace unknown values, which are never equal, by a word."""
    if isinstance(value, Sym):
        return "unknown"
    return [shown(item) for item in value] if isinstance(value, list) else value


def plain_parts(names: dict[str, Any]) -> dict[str, Any]:
    return {key: shown(value) for key, value in names.items() if key[:2] != "__"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_compiled_loops_leave_what_interpreted_ones_leave(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable has the same value, also where an iteration was undone and interpreted after all."""
    compiled = plain_parts(variables(PROGRAMS[name]))
    monkeypatch.setattr(loops, "plain_body", lambda *_a, **_k: None)
    monkeypatch.setattr(comprehensions, "plain_expression", lambda *_a, **_k: None)
    assert compiled == plain_parts(variables(PROGRAMS[name]))


def test_the_compiled_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above would prove nothing if no loop were ever compiled."""
    taken: list[bool] = []
    original = loops.plain_body

    def watched(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        taken.append(made is not None)
        return made

    monkeypatch.setattr(loops, "plain_body", watched)
    variables(PROGRAMS["a counter shared by chunks"])
    assert any(taken)


def test_nothing_of_the_submission_is_called() -> None:
    """A shadowed builtin or a submitted function is no part of the subset."""
    names = variables("def min(a, b):\n    return 7\nout = []\nfor i in range(30):\n    out.append(min(i, 3))\n")
    assert names["out"] == [7] * 30
