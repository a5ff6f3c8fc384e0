"""The JSON contract and the way back."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from auditor.errors import PgolfError
from auditor.report.json import render, schema
from auditor.report.load import read_report
from tests.report.sample import report, submission


def _validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def test_a_report_keeps_the_contract() -> None:
    """Every field of design section 6 is there, in its place, and nothing that the schema does not name."""
    text = render(report())
    loaded = json.loads(text)
    _validator().validate(loaded)
    assert text.isascii()
    one = loaded["submissions"][0]
    assert {"path", "track", "script", "verdict", "recommendation", "legality", "findings", "passes", "facts"} <= set(
        one
    )
    assert one["findings"][0]["path"][0]["event"] == "BACKWARD"
    assert one["findings"][0]["path"][0]["source"] == "    loss.backward()"


@pytest.mark.parametrize(
    "place", [[], ["submissions", 0], ["submissions", 0, "findings", 0], ["submissions", 0, "legality"]]
)
def test_an_unknown_field_breaks_the_schema(place: list[str | int]) -> None:
    """Only facts may grow; a new field elsewhere needs a new schema."""
    loaded = json.loads(render(report()))
    target = loaded
    for key in place:
        target = target[key]
    target["surprise"] = 1
    assert not _validator().is_valid(loaded)


def test_numbers_that_are_not_finite_become_unknown() -> None:
    """A log may print nan or inf; JSON has no word for them and null means unknown."""
    odd = submission(facts={**submission().facts, "bpb": {"claimed": math.inf, "per_seed": [math.nan]}})
    loaded = json.loads(render(report(odd)))
    assert loaded["submissions"][0]["facts"]["bpb"] == {"claimed": None, "per_seed": [None]}


def test_what_is_read_back_renders_the_same() -> None:
    """Reading a report and writing it again loses nothing."""
    text = render(report())
    assert render(read_report(text.encode())) == text


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": NaN}', b'{"schema_version": 2}'],
    ids=["empty", "list", "object", "bytes", "deep", "nan", "version"],
)
def test_untrusted_bytes_are_refused_in_one_sentence(data: bytes) -> None:
    """Whatever an untrusted job uploads, the reader answers with an error of ours."""
    with pytest.raises(PgolfError):
        read_report(data)


def test_a_report_of_the_wrong_shape_says_where() -> None:
    """The message names the place that breaks the schema."""
    loaded = json.loads(render(report()))
    loaded["submissions"][0]["verdict"] = "FINE"
    with pytest.raises(PgolfError, match="submissions/0/verdict"):
        read_report(json.dumps(loaded).encode())


def test_two_renderings_are_byte_identical() -> None:
    """The JSON depends on nothing but the report."""
    assert render(report()) == render(replace(report()))
