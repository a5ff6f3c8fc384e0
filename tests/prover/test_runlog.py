"""What a run returns is read without trust: anything but a well-formed result is one error, and it is bounded."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numpy")

import numpy as np

from auditor.limits import DEFAULT_LIMITS
from auditor.prover.runlog import ResultError, decode

LIMIT = 1_000_000
META = {"error": None, "lines": [], "keys": {"1": ["f", "a", 1, 0]}, "lowered": {}, "stubs": [], "launches": 0,
        "overflow": False, "builds": [], "refused": "", "coverage": {}}  # fmt: skip
LINE = {"text": "x", "pieces": [["val_bpb:", 1.5]], "at": 1, "site": 1}


def result(meta: object = META, lengths: tuple[int, ...] = (3,), instead: bytes | None = None) -> bytes:
    """Return a result as the harness writes one; `instead` replaces the file of the values."""
    body, out = io.BytesIO(), io.BytesIO()
    text = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    count = len(lengths)
    np.savez(body, meta=np.frombuffer(text, dtype=np.uint8), v1=np.ones(3), n1=np.array(lengths, dtype=np.int64),
             t1=np.arange(count), c1=np.zeros((count, 4)))  # fmt: skip
    with zipfile.ZipFile(body) as archive, zipfile.ZipFile(out, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, instead if instead is not None and name == "v1.npy" else archive.read(name))
    return out.getvalue()


def array_of(shape: str) -> bytes:
    """Return the head of an array file that claims `shape` and holds nothing."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def test_a_well_formed_result_is_read() -> None:
    """The harness's own format passes, and only so many lines of it."""
    log = decode(result({**META, "lines": [LINE] * 5000}), LIMIT)
    assert log.traces[1].values.tolist() == [1.0] * 3
    assert len(log.lines) == DEFAULT_LIMITS.prover.result_lines < 5000


@pytest.mark.parametrize(
    "body",
    [
        result({**META, "lines": [{**LINE, "pieces": [["val_bpb:", 10**400]]}]}),
        result({**META, "lines": [{**LINE, "at": 10**30}]}),
        result({**META, "lines": [{**LINE, "at": -1}]}),
        result({**META, "builds": [{"key": "../../x", "cpp": False, "arguments": [], "inputs": [], "sources": {}}]}),
        result({**META, "builds": [{"key": "0" * 64, "cpp": 0, "arguments": [], "inputs": [], "sources": {"a": "?"}}]}),
        result(json.dumps({**META, "lines": [LINE]}).replace('"at": 1', '"at": 1e999').encode()),
        result({**META, "keys": [1]}),
        result({**META, "keys": {"1": ["f", "a", 1, 10**30]}}),
        result({**META, "keys": {"1": ["f", "a", 1, 0], "01": ["f", "a", 1, 0]}}),
        result({**META, "keys": {"1": ["f", "a", 1, 0], "2": ["f", "a", 1, 0]}}),
        result(b"[" * 100_000),
        result(lengths=(3, 2**62, 2**62, 2**62, 2**62)),
        result(instead=array_of(f"({1 << 50},)")),
        result(instead=array_of("(-3,)")),
    ],
    ids=[
        "number",
        "moment",
        "past",
        "path",
        "base64",
        "infinite",
        "keys",
        "dropped",
        "key twice",
        "key without arrays",
        "nested",
        "wrapped",
        "huge",
        "negative",
    ],
)
def test_malformed_results_are_one_error(body: bytes) -> None:
    """Numbers beyond every type, nesting, sums that wrap around and sizes that no machine has end no proof."""
    with pytest.raises(ResultError):
        decode(body, LIMIT)


@given(st.integers(0, 4000), st.binary(min_size=1, max_size=40))
def test_no_damage_raises_anything_else(at: int, scrap: bytes) -> None:
    """Whatever bytes stand wherever in a result, it is read or refused."""
    body = result()
    at %= len(body)
    try:
        read = decode(body[:at] + scrap + body[at + len(scrap) :], LIMIT)
    except ResultError:
        return
    assert read is not None
