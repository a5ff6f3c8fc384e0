"""Hostile programs reach nothing outside the sandbox, in every mode that this machine has."""

from __future__ import annotations

import pytest
from sandbox_cases import CASES, MODES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_contained(hostile, mode: str, name: str) -> None:
    """The program reaches nothing it must not, does no damage, and ends by itself or by the limit that it ran into."""
    assert hostile(mode)[name] == []


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_left(hostile, mode: str) -> None:
    """After all hostile programs no process of a sandbox runs and no scratch directory lies around."""
    assert hostile(mode)["remains"] == []
