"""Compare the parse check with the truth of real interpreters, and count decoded shims, over a local corpus.

    python benchmarks/parse_truth.py CORPUS TRUTH.csv [--limit N]

CORPUS holds PR-shaped directories (<PR>/records/...), TRUTH.csv one row per script with columns file, ok310,
err310_line, n_places, exact_line, exact_col. Prints agreement, decoding results and the time per script of this run.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import time
from collections import Counter
from pathlib import Path

from auditor.frontend import compat
from auditor.limits import DEFAULT_LIMITS
from auditor.unpack import unpack


def check(path: Path) -> tuple[list[tuple[int, int, int]], int, int, float]:
    """Return (places as layer, line, column; layers; opaque; seconds) of one script."""
    data = path.read_bytes()

    def sibling(name: str) -> bytes | None:
        other = path.parent / name
        return other.read_bytes() if other.is_file() else None

    started = time.perf_counter()
    unpacked = unpack(data, path.name, sibling, DEFAULT_LIMITS.unpack)
    places = [
        (layer.index, problem.span.line, problem.span.column)
        for layer in unpacked.layers
        for problem in compat.problems(layer.raw, path.name, layer.index, (3, 10))
    ]
    return places, len(unpacked.layers), len(unpacked.opaque), time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    times = []
    with options.truth.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows[: options.limit or None]:
        pr, _, rest = row["file"].partition("/")
        path = options.corpus / pr / "records" / rest
        if not path.is_file():
            counts["missing"] += 1
            continue
        places, layers, opaque, seconds = check(path)
        times.append(seconds)
        counts["files"] += 1
        counts["decoded"] += layers > 1
        counts["opaque"] += opaque > 0
        expected = row["ok310"] == "1"
        if expected and places:
            counts["false reject"] += 1
            print("false reject", row["file"], places[:3])
        elif not expected and not places:
            counts["false accept"] += 1
            print("false accept", row["file"], row["err310_msg"])
        elif not expected:
            compare(row, places, counts)
    print(platform.python_version(), dict(counts))
    if times:
        ordered = sorted(times)
        share = ordered[int(len(ordered) * 0.95)]
        print(f"seconds per script: median {statistics.median(times):.3f}, 95% {share:.3f}, worst {ordered[-1]:.3f}")


def compare(row: dict[str, str], places: list[tuple[int, int, int]], counts: Counter[str]) -> None:
    """Count agreement of line, column and number of places for a script that 3.10 rejects."""
    counts["rejected"] += 1
    _, line, column = places[0]
    if str(line) == row["err310_line"]:
        counts["same line"] += 1
    else:
        print("other line", row["file"], line, row["err310_line"])
    if row["exact_col"]:
        counts["with exact column"] += 1
        counts["same exact column"] += (str(line), str(column)) == (row["exact_line"], row["exact_col"])
        counts["same number of places"] += str(len(places)) == row["n_places"]
        if (str(line), str(column), str(len(places))) != (row["exact_line"], row["exact_col"], row["n_places"]):
            print("other place", row["file"], places, row["exact_line"], row["exact_col"], row["n_places"])


if __name__ == "__main__":
    main()
