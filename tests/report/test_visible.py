"""The sanitiser that every format uses."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from auditor.report.visible import visible
from tests.report.sample import HOSTILE


@given(st.text(alphabet=st.characters(), max_size=60))
def test_nothing_hidden_or_controlling_survives(text: str) -> None:
    """Whatever goes in, no control, format, surrogate or separator character comes out."""
    shown = visible(text)
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
    shown.encode("utf-8")


def test_what_is_hidden_is_written_out() -> None:
    """A reader sees that something was there, and what."""
    shown = visible(HOSTILE)
    for written in ("\\x1b[31m", "\\u202e", "\\u200b", "\\ud800", "\\U000e0041", "\\x0a", "\\x0d"):
        assert written in shown


def test_ordinary_text_stays_as_it_is() -> None:
    """Letters of any script, symbols and emoji are no threat."""
    assert visible("naïve 漢字 ∑ 🤖 a_b `x`") == "naïve 漢字 ∑ 🤖 a_b `x`"


def test_the_cut_is_announced() -> None:
    """A cut text says how much is missing."""
    assert visible("abcdef", 4) == "abcd [+2 characters]"
