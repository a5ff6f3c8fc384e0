"""The context-mixing carrier: model, arithmetic coder, and the decoder that travels in the shim."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import BudgetExceeded, UnpackError
from auditor.packer import cm_coder, cm_shim
from auditor.packer.cm_model import CmParams, rounding_margin
from auditor.packer.cm_survey import survey

SAMPLE = (
    "def f(a,b):\n\tfor i in range(len(a)):\n\t\tb[i]+=a[i]*(i+1)\n\treturn {'x':b,\"y\":[]}\nprint(f([1,2],[3,4]))\n"
)
RADICES = (cm_coder.RAW, cm_coder.ASCII)


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=60), st.sampled_from(RADICES))
def test_any_ascii_text_survives_the_coder(text: str, radix: int) -> None:
    """Every 7-bit text decodes to itself in either alphabet."""
    params = CmParams(len(text))
    assert cm_coder.decode(cm_coder.encode(text, params, radix), params, radix, 1000) == text


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_survive_the_wide_coder(data: bytes) -> None:
    """Eight-bit symbols carry any byte."""
    params = CmParams(len(data), wide=True)
    text = data.decode("latin-1")
    assert cm_coder.decode(cm_coder.encode(text, params, cm_coder.RAW), params, cm_coder.RAW, 1000) == text


@pytest.mark.parametrize("radix", RADICES)
@pytest.mark.parametrize("wide", [False, True])
def test_travelling_decoder_spells_the_model(radix: int, wide: bool) -> None:
    """The decoder in the shim, run as Python, yields what the readable model encoded."""
    text = (SAMPLE * 3) + ("\xe2\x96\x81" if wide else "")
    params = CmParams(len(text), rate=45, lag=11, weight=17, wide=wide)
    source = cm_shim.body(params, radix, False).rpartition("\n")[0]
    space: dict[str, object] = {}
    exec(source, space)
    decode = space["f"]
    assert callable(decode)
    assert decode(map(ord, cm_coder.encode(text, params, radix))) == text


@pytest.mark.parametrize("radix", RADICES)
def test_payload_alphabet_holds_no_character_that_a_tokenizer_changes(radix: int) -> None:
    """Digits are spelled one to one, without NUL and carriage return."""
    chars = [cm_coder.char(value, radix) for value in range(radix)]
    assert [cm_coder.digit(c, radix) for c in chars] == list(range(radix))
    assert not {"\0", "\r"} & set(chars)
    assert max(map(ord, chars)) == radix + 1


def test_no_table_entry_sits_near_a_rounding_edge() -> None:
    """An error of a few units in the last place of log or 2**x cannot change a decoded bit."""
    assert rounding_margin() > 1e-9


@settings(max_examples=4, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_survey_finds_the_odds_of_the_walk(text: str) -> None:
    """All settings at once give, to the bit, the payload that the one walk gives for each."""
    text = SAMPLE + text
    tried = [CmParams(len(text), rate, lag, 29 - lag) for lag in (11, 12) for rate in (45, 75)]
    surveyed = survey(text, tried)
    assert {c.params for c in surveyed} == set(tried)
    for coded in surveyed:
        payload = cm_coder.spell(text, 7, coded.odds.tolist(), cm_coder.RAW)
        assert payload == cm_coder.encode(text, coded.params, cm_coder.RAW)
    costs = [c.cost for c in surveyed]
    assert costs == sorted(costs)
    assert abs(len(cm_coder.spell(text, 7, surveyed[0].odds.tolist(), cm_coder.RAW)) - costs[0]) < 6


def test_survey_of_bytes_and_of_nothing() -> None:
    """Eight-bit symbols are surveyed too, and an empty text costs nothing."""
    wide = SAMPLE + "\xe2\x96\x81" * 3
    params = CmParams(len(wide), wide=True)
    found = survey(wide, [params])
    assert cm_coder.spell(wide, 8, found[0].odds.tolist(), cm_coder.RAW) == cm_coder.encode(wide, params, cm_coder.RAW)
    assert survey("", [CmParams(0)])[0].cost == 0


def test_repetitive_text_becomes_small() -> None:
    """The model learns: a repeated function costs a fraction of its first occurrence."""
    once = len(cm_coder.encode(SAMPLE, CmParams(len(SAMPLE)), cm_coder.RAW))
    many = len(cm_coder.encode(SAMPLE * 6, CmParams(len(SAMPLE) * 6), cm_coder.RAW))
    assert many < 1.6 * once


def test_payload_cut_short_is_an_error() -> None:
    """A damaged payload is reported, not decoded to something else."""
    params = CmParams(len(SAMPLE))
    payload = cm_coder.encode(SAMPLE, params, cm_coder.RAW)
    with pytest.raises(UnpackError):
        cm_coder.decode(payload[: len(payload) // 2], params, cm_coder.RAW, 10_000)


def test_announced_length_is_capped() -> None:
    """A shim cannot make the auditor decode for hours."""
    with pytest.raises(BudgetExceeded):
        cm_coder.decode("x", CmParams(10**8), cm_coder.RAW, 10**5)


def test_only_the_exact_template_is_recognised() -> None:
    """A decoder that differs by one character is not ours."""
    body = cm_shim.body(CmParams(123, rate=75), cm_coder.RAW, True)
    assert cm_shim.read_body(body) == (CmParams(123, rate=75), cm_coder.RAW)
    assert cm_shim.read_body(body.replace("isidentifier", "isalnum")) is None
    assert cm_shim.read_body("import os\n" + body) is None
