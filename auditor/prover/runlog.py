"""Decode what a run logged. The bytes come from an untrusted process: sizes are checked before anything is read."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from auditor.errors import PgolfError
from auditor.limits import DEFAULT_LIMITS
from auditor.prover.native import Wanted, wanted

FRAME_HEADER = 8
CHAIN = 4
MALFORMED = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading an archive that a hostile process made up may raise."""
MOMENTS = 1 << 62
"""Moments and entries are counted from zero and stay far below what 64 bits hold."""


class ResultError(PgolfError):
    """A result of a run is not what the harness writes."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything logged under one key, in the order in which it happened."""

    key: int
    function: str
    target: str
    line: int
    dropped: int
    """Entries that were logged before the first one kept."""
    values: np.ndarray
    """float64 [elements], entries one after another."""
    lengths: np.ndarray
    """int64 [entries]."""
    times: np.ndarray
    """int64 [entries], moments."""
    chains: np.ndarray
    """int64 [entries, 4]: moments at which the calls around the place began, innermost first, 0 for none."""

    @property
    def offsets(self) -> np.ndarray:
        """int64 [entries + 1]: where each entry starts in `values`."""
        return np.concatenate([[0], np.cumsum(self.lengths)])


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line that the script formatted, with the numbers in it as they were before rounding."""

    text: str
    numbers: tuple[tuple[str, float], ...]
    """(text just before the number, number)."""
    at: int
    exact: bool
    """False where the numbers were read from the text and carry only its digits."""


@dataclass(frozen=True, slots=True)
class RunLog:
    """One run or branch."""

    error: str | None
    lines: tuple[PrintedLine, ...]
    traces: dict[int, Trace]
    lowered: dict[str, tuple[str, str]]
    stubs: tuple[str, ...]
    launches: int
    """GPU kernels whose launch was skipped."""
    overflow: bool
    """True where more was summed than is logged."""
    coverage: dict[str, tuple[int, int]]
    """Function -> (statements, of these executed)."""
    builds: tuple[Wanted, ...] = ()
    """What the run ended for: libraries that it wants to have compiled."""
    refused: str = ""
    """What a compiler said that gave the run no library; empty where none did."""


class Frames:
    """Splits what comes over the report channel into results by name; a cut last one is left out."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the channel."""
        rest = self._rest
        rest += chunk
        while len(rest) >= FRAME_HEADER:
            name, body = int.from_bytes(rest[:4], "little"), int.from_bytes(rest[4:8], "little")
            end = FRAME_HEADER + name + body
            if end > len(rest):
                return
            label = bytes(rest[FRAME_HEADER : FRAME_HEADER + name]).decode("utf-8", "replace")
            self.found[label] = bytes(rest[FRAME_HEADER + name : end])
            del rest[:end]


def decode(body: bytes, limit: int) -> RunLog:
    """Read one result. Raise ResultError where it is malformed or unpacks to more than `limit` bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(item.file_size for item in archive.infolist()) > limit:
                raise ResultError(f"a run returned more than {limit} bytes")
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            meta = json.loads(bytes(arrays["meta"]))
            keys = {key for key in meta["keys"] if str(int(key)) == key and f"v{key}" in arrays.files}
            if len(keys) < len(meta["keys"]):
                raise ResultError("a run returned keys of which it has no arrays")
            traces = {int(key): trace(int(key), row, arrays) for key, row in meta["keys"].items()}
            return RunLog(
                error=None if meta["error"] is None else str(meta["error"])[:600],
                lines=tuple(printed(line) for line in meta["lines"][: DEFAULT_LIMITS.prover.result_lines]),
                traces=traces,
                lowered={str(k): (str(a), str(b)) for k, (a, b) in meta["lowered"].items()},
                stubs=tuple(str(s) for s in meta["stubs"]),
                launches=int(meta["launches"]),
                overflow=bool(meta["overflow"]),
                coverage={str(k): (int(a), int(b)) for k, (a, b) in meta["coverage"].items()},
                builds=tuple(wanted(row) for row in meta["builds"][: DEFAULT_LIMITS.prover.compiling.builds]),
                refused=str(meta["refused"])[:600],
            )
    except MALFORMED as error:
        raise ResultError(f"a run returned a malformed result ({type(error).__name__})") from error


def trace(key: int, row: list[Any], arrays: Any) -> Trace:
    function, target, line, dropped = row
    values = np.asarray(arrays[f"v{key}"], dtype=np.float64)
    lengths, times, chains = (np.asarray(arrays[f"{kind}{key}"], dtype=np.int64) for kind in "ntc")
    whole = values.ndim == 1 and lengths.ndim == 1 and not (lengths < 0).any() and not (lengths > values.size).any()
    if not whole or lengths.sum() != values.size or not 0 <= dropped < MOMENTS:
        raise ResultError("a run returned arrays that do not fit together")
    if times.shape != lengths.shape or chains.shape != (lengths.size, CHAIN):
        raise ResultError("a run returned arrays that do not fit together")
    return Trace(
        key,
        str(function)[:200],
        str(target)[:200],
        int(line),
        int(dropped),
        values,
        lengths,
        times,
        chains,
    )


def printed(line: dict[str, Any]) -> PrintedLine:
    numbers = tuple((str(prefix), float(number)) for prefix, number in line["pieces"])
    at = int(line["at"])
    if not 0 <= at < MOMENTS:
        raise ResultError("a run returned a line printed at no moment")
    return PrintedLine(str(line["text"])[:400], numbers, at, int(line["site"]) >= 0)
