"""Carriers: what goes in comes out, statically and when run, in every spelling."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.limits import DEFAULT_LIMITS
from auditor.packer import cm_coder
from auditor.packer.cm_model import CmParams
from auditor.packer.codecs import Stream, streams
from auditor.packer.options import Level
from auditor.packer.shims import Shim, escaped_literal, raw_literal, recognise, wrap, wrap_cm
from auditor.unpack import unpack

TEXT = "".join(f"x{i % 7} = {i * 37 % 101}\n" for i in range(120)) + "RESULT = x1\n"


def _static(data: bytes) -> bytes:
    unpacked = unpack(data, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack)
    assert not unpacked.opaque
    return unpacked.payload.raw


def _shims(traced: bool) -> list[Shim]:
    found = []
    for stream in streams(TEXT.encode(), Level.BEST, frozenset()):
        found += [*wrap(stream, False, traced), *wrap(stream, True, traced)]
    for radix in (cm_coder.RAW, cm_coder.ASCII):
        params = CmParams(len(TEXT))
        one = wrap_cm(cm_coder.encode(TEXT, params, radix), params, radix, traced)
        assert one is not None
        found.append(one)
    return found


@pytest.mark.parametrize("traced", [False, True])
def test_every_carrier_unpacks_statically_and_runs(traced: bool) -> None:
    """Static unpacking and execution agree on the payload, with and without a registered source."""
    shims = _shims(traced)
    assert {s.carrier for s in shims} == {"raw", "raw literal", "ascii"}
    for shim in shims:
        assert _static(shim.data) == TEXT.encode()
        space: dict[str, object] = {"__name__": "__main__"}
        exec(compile(shim.data, "train_gpt.py", "exec"), space)
        assert space["RESULT"] == 113 * 37 % 101
        assert sum(part.size for part in shim.parts) == len(shim.data)


def test_ascii_carrier_is_ascii_and_raw_carrier_declares_itself() -> None:
    """The one reads as UTF-8 anywhere, the other says what it is in its first line."""
    for shim in _shims(False):
        if shim.carrier == "ascii":
            shim.data.decode("ascii")
        else:
            assert shim.data.startswith(b"#coding:L1\n")
        assert b"\0" not in shim.data and b"\r" not in shim.data


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_escaped_literal_evaluates_to_its_bytes(data: bytes) -> None:
    """Every byte string survives the literal, read as a latin-1 source."""
    source = b"#coding:L1\nx=" + escaped_literal(data).encode("latin-1") + b".encode('L1')\n"
    space: dict[str, object] = {}
    exec(compile(source, "x", "exec"), space)
    assert space["x"] == data


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_digit_carrier_holds_any_bytes(data: bytes) -> None:
    """Bytes become a number in the text alphabet and come back, leading zeros included."""
    import zlib

    packer = zlib.compressobj(0, zlib.DEFLATED, -15)
    stream = Stream("zlib", packer.compress(data) + packer.flush(), "zlib", "zlib.decompress(@,-15)")
    for ascii_only in (False, True):
        shim = list(wrap(stream, ascii_only, False))[-1]
        found = recognise(shim.data)
        assert found is not None and found.decode(1000) == data


def test_quotes_in_a_payload_never_close_its_literal() -> None:
    """Where one quote cannot enclose the payload the other does, and where none can the caller is told."""
    assert raw_literal("ab'''c") == 'r"""ab\'\'\'c"""'
    assert raw_literal("abc'") == 'r"""abc\'"""'
    assert raw_literal("'''\"\"\"") is None
    assert raw_literal("abc\\") is None


def test_changed_shims_are_not_recognised() -> None:
    """A file that is not byte for byte one of our templates goes the ordinary way."""
    for shim in _shims(False):
        if recognise(shim.data) is not None:
            assert recognise(shim.data + b"print(1)\n") is None
            assert recognise(b"import os\n" + shim.data) is None


def test_damaged_payloads_never_raise_anything_unexpected() -> None:
    """Flipped characters are decoded or reported; the auditor goes on."""
    rng = random.Random(5)
    for shim in _shims(False):
        data = bytearray(shim.data)
        for _ in range(3):
            data[rng.randrange(len(data) // 3, len(data) - 60)] = rng.randrange(65, 90)
        unpacked = unpack(bytes(data), "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack)
        assert unpacked.layers[0].raw == bytes(data)
        assert len(unpacked.layers) > 1 or unpacked.opaque, (
            f"{shim.codec} in {shim.carrier}: damage passed over in silence"
        )


def test_extra_codecs_only_when_allowed() -> None:
    """Brotli and zstd are outside the standard library and need permission."""
    plain = {s.codec for s in streams(b"x" * 50, Level.BEST, frozenset())}
    more = {s.codec for s in streams(b"x" * 50, Level.BEST, frozenset({"brotli", "zstd"}))}
    assert plain == {"lzma", "zlib", "bz2"} and more == plain | {"brotli", "zstd"}
