"""Prove the project's own fixtures and print which outcomes differ from what the fixtures are.

    python benchmarks/prove_fixtures.py --results OUT.jsonl [--kinds legal violating] [--budget S] [--small]
        [--only NAME ...]

A legal fixture has to come out CLEAN_IN_MINIATURE, a violating one of a class that changed tokens can show convicted.
Results are appended and known ones skipped, so that a sweep can go on later.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from prove import CONVICTED, SEEN

from auditor.limits import DEFAULT_LIMITS
from auditor.prover.proof import as_json
from auditor.usecases.prove import ProveOptions, prove_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def submissions(kinds: list[str]) -> Iterator[dict[str, Any]]:
    for kind in kinds:
        for path in sorted((FIXTURES / kind).glob("*/expect.toml")):
            for row in tomllib.loads(path.read_text(encoding="utf-8"))["submission"]:
                classes = row.get("classes_active", [])
                folder = path.parent / row["folder"]
                yield {"kind": kind, "name": path.parent.name, "folder": folder, "classes": classes}


def known(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def prove_one(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    prover = replace(DEFAULT_LIMITS.prover, run_seconds=options.seconds)
    if options.small:
        prover = replace(prover, targets_large=prover.targets)
    limits = replace(DEFAULT_LIMITS, prover=prover)
    started = time.monotonic()
    (proved,) = prove_path(folder, ProveOptions(budget=options.budget, limits=limits))
    return {**as_json(proved.proof), "wall": round(time.monotonic() - started, 1)}


def as_expected(row: dict[str, Any]) -> bool | None:
    """Return whether the outcome is the one to be had; None where changed tokens cannot show the class."""
    if row["kind"] != "violating":
        return row["outcome"] == "CLEAN_IN_MINIATURE"
    return row["outcome"] in CONVICTED if SEEN & {*row["classes"]} else None


def table(rows: list[dict[str, Any]]) -> str:
    out: list[str] = []
    if not rows:
        return "nothing proved"
    for kind in sorted({row["kind"] for row in rows}):
        judged = [as_expected(row) for row in rows if row["kind"] == kind]
        counted = [right for right in judged if right is not None]
        outcomes = dict(Counter(row["outcome"] for row in rows if row["kind"] == kind))
        out.append(f"{kind:<10} {sum(counted)} of {len(counted)} as expected, {len(judged)} proved: {outcomes}")
    for row in rows:
        if as_expected(row) is False:
            why = f"{row['reason_class'] or ''} {row['reason'][:150]}"
            out.append(f"  {row['kind']}/{row['name']} {row['classes']}: {row['outcome']} {why}")
    out.append(f"seconds: median {statistics.median(row['wall'] for row in rows):.0f}")
    out.append(f"CPU seconds: median {statistics.median(row['cpu_seconds'] for row in rows):.0f}")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--kinds", nargs="*", default=["legal", "violating"])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--budget", type=float, default=DEFAULT_LIMITS.prover.budget_seconds)
    parser.add_argument("--seconds", type=float, default=DEFAULT_LIMITS.prover.run_seconds, help="of one run")
    parser.add_argument("--small", action="store_true", help="leave out the larger text, whatever time is left")
    options = parser.parse_args()
    done = {(row["kind"], row["name"], row["folder"]) for row in known(options.results)}
    for row in submissions(options.kinds):
        folder = row.pop("folder")
        row["folder"] = folder.name
        if (row["kind"], row["name"], row["folder"]) in done or (options.only and row["name"] not in options.only):
            continue
        result = {**row, **prove_one(folder, options)}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(row["kind"], row["name"], result["outcome"], result["reason_class"], file=sys.stderr, flush=True)
    print(table(known(options.results)))


if __name__ == "__main__":
    main()
