"""Draw submissions at random from the rows of `pgolf corpus`, with the static verdict in the place of a label.

    python benchmarks/prove_draw.py RESULTS.jsonl LABELS.jsonl --count 60 [--seed 0] > SAMPLE.jsonl

What LABELS names is left out, and so are submissions without a script and copies of others. SAMPLE has the fields that
benchmarks/prove.py reads: its table then holds the proofs against the static verdicts.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def submissions(results: Path) -> Iterator[dict[str, Any]]:
    """Yield one row for every submission that a proof could be tried on."""
    for task in lines(results):
        for found in task.get("submissions", ()):
            if found["script"] and not found["copy_of"] and found["verdict"] != "UNREADABLE":
                yield {
                    "pr": int(task["task"].rsplit("/", 1)[-1]),
                    "folder": found["path"].rsplit("/", 1)[-1],
                    "path": found["path"],
                    "script": found["script"],
                    "verdict": found["legality"]["verdict"],
                    "classes_active": found["legality"]["classes_active"],
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    labelled = {row["pr"] for row in lines(options.labels)}
    drawable = [row for row in submissions(options.results) if row["pr"] not in labelled]
    for row in random.Random(options.seed).sample(drawable, options.count):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
