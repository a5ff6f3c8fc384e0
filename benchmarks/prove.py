"""Prove labelled submissions and print what ran, what was convicted, and every disagreement with the labels.

    python benchmarks/prove.py LABELS.jsonl FOLDER --results OUT.jsonl [--budget S] [--seconds S] [--small]
        [--conditions C,...] [--only PR ...] [--sample N]

FOLDER holds one directory per pull request, each with records/TRACK/SUBMISSION or what a row names as "path". Results
are appended, one JSON object a line, and submissions that OUT already has are skipped, so that a long measurement can
go on later; the table at the end is over everything in OUT.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from memory import peak_memory

from auditor.errors import PgolfError
from auditor.limits import DEFAULT_LIMITS
from auditor.prover.proof import as_json
from auditor.usecases.prove import ProveOptions, prove_path

SEEN = frozenset(
    {
        "prequant-val-ttt",
        "multi-epoch-last-score",
        "two-pass-rescore",
        "slot-scored-region",
        "target-keyed-ngram",
        "unnormalized-mix",
        "val-calibrated-gptq",
        "oracle-selection",
    }
)
"""Classes whose instances change what a test can see; the others need other tests."""
CONVICTED = ("LEAK", "NOT_NORMALISED")
NOT_RUN = frozenset(
    {"crash", "missing-module", "missing-file", "native-helper", "several-ranks", "memory", "no-result", "sandbox"}
    | {"no-metric", "no-site", "budget", "no-script", "error", "internal"}
)


def labels(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def rows(path: Path) -> list[dict[str, Any]]:
    return labels(path) if path.exists() else []


def pending(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    done = {(row["pr"], row["folder"]) for row in rows(options.results)}
    wanted = [row for row in labels(options.labels) if not options.only or row["pr"] in options.only]
    random.Random(0).shuffle(wanted)
    for row in interleaved(wanted)[: options.sample or None]:
        if (row["pr"], row["folder"]) not in done:
            yield row


def interleaved(wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with classes taking turns, so that a measurement cut short has seen every class."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in wanted:
        seen = sorted(SEEN & {*row["classes_active"]})
        groups.setdefault(seen[0] if seen else row["verdict"], []).append(row)
    turns = itertools.zip_longest(*(groups[name] for name in sorted(groups)))
    return [row for turn in turns for row in turn if row is not None]


def prove_one(row: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    prover = replace(DEFAULT_LIMITS.prover, run_seconds=options.seconds)
    if options.small:
        prover = replace(prover, targets_large=prover.targets)
    limits = replace(DEFAULT_LIMITS, prover=prover)
    pull = options.folder / str(row["pr"])
    places = [pull / row["path"]] if "path" in row else (pull / "records").glob("*/*")
    found = [p for p in places if p.is_dir() and p.name == row["folder"]]
    started = time.monotonic()
    if not found:
        return {"outcome": "MISSING"}
    try:
        chosen = ProveOptions(
            frozenset(options.conditions.split(",")), budget=options.budget, script=row["script"], limits=limits
        )
        with peak_memory() as peak:
            proved = prove_path(found[0], chosen)
    except PgolfError as error:
        return {"outcome": "ERROR", "reason": str(error), "wall": time.monotonic() - started}
    return {**as_json(proved[0].proof), "wall": time.monotonic() - started, "peak_mib": round(peak.mib)}


def table(results: list[dict[str, Any]]) -> str:
    """Return the counts, and a line per disagreement."""
    ran = [r for r in results if r["outcome"] not in ("MISSING", "ERROR") and r.get("reason_class") not in NOT_RUN]
    out = [f"{len(results)} submissions, {len(ran)} ran to a located metric ({len(ran) / max(len(results), 1):.0%})"]
    for label in sorted({r["label"] for r in results}):
        out.append(f"  {label:<9} {dict(Counter(r['outcome'] for r in results if r['label'] == label))}")
    for name in sorted(SEEN):
        those = [r for r in ran if name in r["classes"]]
        hit = sum(r["outcome"] in CONVICTED for r in those)
        out.append(f"  {name:<24} {hit} of {len(those)} that ran convicted")
    reasons = Counter(r.get("reason_class") for r in results if r["outcome"] == "UNDECIDED")
    out.append(f"  undecided by reason: {dict(reasons)}")
    seconds = [r["wall"] for r in results if "wall" in r]
    if seconds:
        out.append(f"  seconds: median {statistics.median(seconds):.0f}, largest {max(seconds):.0f}")
        cpu = [r["cpu_seconds"] for r in results if r.get("cpu_seconds")]
        held = [r["peak_mib"] for r in results if r.get("peak_mib")]
        out.append(
            f"  MiB of all processes: median {statistics.median(held or [0]):.0f}, largest {max(held, default=0)}"
        )
        out.append(f"  CPU seconds: median {statistics.median(cpu or [0]):.0f}, largest {max(cpu, default=0):.0f}")
    for r in ran:
        if disagrees(r):
            out.append(f"  disagreement: {r['pr']} {r['folder']}: {r['label']} {r['classes']}")
            out.append(f"    {r['outcome']}: {r['reason'][:160]}")
    return "\n".join(out)


def disagrees(result: dict[str, Any]) -> bool:
    """Say whether a legal label was convicted, or one that a test can see was not."""
    convicted = result["outcome"] in CONVICTED
    return convicted if result["label"] == "legal" else not convicted and bool(SEEN & {*result["classes"]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--budget", type=float, default=DEFAULT_LIMITS.prover.budget_seconds)
    parser.add_argument("--seconds", type=float, default=DEFAULT_LIMITS.prover.run_seconds, help="of one run")
    parser.add_argument("--small", action="store_true", help="leave out the larger text, whatever time is left")
    parser.add_argument("--conditions", default="c1,c2,c3,c4", help="c4 alone: no more than locates the metric")
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--sample", type=int)
    options = parser.parse_args()
    for row in pending(options):
        kept = {key: row[key] for key in ("pr", "folder", "script")}
        result = {**kept, "label": row["verdict"], "classes": row["classes_active"], **prove_one(row, options)}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(row["pr"], row["verdict"], result["outcome"], result.get("reason_class"), file=sys.stderr, flush=True)
    print(table(rows(options.results)))


if __name__ == "__main__":
    main()
