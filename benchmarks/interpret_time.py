"""Print how long the interpretation of scripts takes, beside parsing the same scripts, and how it grows with length.

Usage: interpret_time.py [--every N] [DIRECTORY ...]     (default: every fixture below fixtures/)

A DIRECTORY is a submission folder, or a directory below which submission folders are looked for. Processor seconds of
this one process; the first submission is run twice so that imports are paid before the clock starts.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from auditor.frontend.program import load_program
from auditor.intake.discover import discover
from auditor.interp.analyse import analyse
from auditor.limits import DEFAULT_LIMITS
from auditor.measure.gather import gather
from auditor.model.evidence import Evidence
from auditor.model.source import Program
from auditor.model.submission import Submission
from auditor.rules.data import edition
from auditor.usecases.memory import rare_collections

ROOT = Path(__file__).resolve().parent.parent
TARGET = "3.10"


def submissions(roots: list[Path], every: int) -> Iterator[Submission]:
    """Yield the submissions below the given directories that have a script."""
    found = [
        s for root in roots for s in discover(root, None, DEFAULT_LIMITS.intake).submissions if s.script is not None
    ]
    yield from found[::every]


def interpret(submission: Submission) -> tuple[float, float, int, int] | None:
    """Return (seconds to interpret, seconds to parse, lines, steps); None where there is nothing to interpret."""
    program = load_program(submission, TARGET, DEFAULT_LIMITS)
    if program is None or program.main.tree is None:
        return None
    evidence = gather(submission, program, edition(), DEFAULT_LIMITS)
    with rare_collections():
        return _timed(program, submission, evidence)


def _timed(program: Program, submission: Submission, evidence: Evidence) -> tuple[float, float, int, int] | None:
    """Time the interpretation as an audit runs it, then the parser alone."""
    started = time.process_time()
    analysis = analyse(program, submission, evidence, DEFAULT_LIMITS)
    interpreted = time.process_time() - started
    text = program.main.unpacked.payload.text
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError:
            return None
    return interpreted, time.process_time() - started, text.count("\n") + 1, analysis.trace.steps


def main() -> None:
    """Print the distribution, the ratio to parsing, the slowest ten, and medians by quarter of length."""
    parser = argparse.ArgumentParser()
    parser.add_argument("roots", nargs="*", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    roots = options.roots or sorted(p.parent for p in (ROOT / "fixtures").glob("*/*/expect.toml"))
    chosen = list(submissions(roots, options.every))
    interpret(chosen[0])
    rows = [(made, s.path) for s in chosen if (made := interpret(s)) is not None]
    seconds = sorted(row[0][0] for row in rows)
    parsing = statistics.median(row[0][1] for row in rows)
    print(f"{len(rows)} scripts, processor seconds of interpretation")
    high = seconds[int(0.95 * (len(seconds) - 1))]
    print(f"median {statistics.median(seconds):.3f}  p95 {high:.3f}  max {seconds[-1]:.3f}")
    print(f"median of parsing the same text {parsing:.3f}: ratio {statistics.median(seconds) / parsing:.1f}")
    by_length = sorted(rows, key=lambda row: row[0][2])
    for part in range(4):
        quarter = by_length[part * len(rows) // 4 : (part + 1) * len(rows) // 4]
        if quarter:
            print(
                f"{quarter[0][0][2]:6,} to {quarter[-1][0][2]:6,} lines: median "
                f"{statistics.median(row[0][0] for row in quarter):.3f} s, "
                f"{statistics.median(row[0][3] for row in quarter):,.0f} steps"
            )
    for (taken, _, lines, steps), path in sorted(rows, key=lambda row: -row[0][0])[:10]:
        print(f"  {taken:6.2f} s  {lines:6,} lines  {steps:9,} steps  {path}")


if __name__ == "__main__":
    main()
