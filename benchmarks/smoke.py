"""What a smoke test costs beside importing torch, measured in one run.

    python benchmarks/smoke.py SCRIPT [SCRIPT ...] [--level import] [--repeat 3]

Prints, per script, the wall time of the whole sandboxed run, the wall time of a sandboxed `import torch` alone measured
right before it, their difference and ratio, and the peak memory; then the medians. Both sides start an interpreter.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from auditor.model.smoke import SmokeLevel
from auditor.sandbox.request import SandboxRequest
from auditor.sandbox.run import run
from auditor.usecases.smoke import SmokeOptions, smoke


def main() -> None:
    """Measure every script named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="+", type=Path)
    parser.add_argument("--level", default="import", choices=["import", "model", "forward"])
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    rows = [
        _measure(script, SmokeLevel[options.level.upper()]) for script in options.scripts for _ in range(options.repeat)
    ]
    wall, torch, peak = (statistics.median(column) for column in zip(*rows, strict=True))
    extra = statistics.median(row[0] - row[1] for row in rows)
    ratio = statistics.median(row[0] / row[1] for row in rows)
    print(f"median of {len(rows)}: run {wall:.2f} s, torch alone {torch:.2f} s, +{extra:.2f} s, x{ratio:.2f}")
    print(f"peak memory: median {peak / 1e6:.0f} MB, largest {max(row[2] for row in rows) / 1e6:.0f} MB")


def _measure(script: Path, level: SmokeLevel) -> tuple[float, float, int]:
    """Return (seconds of the run, seconds of torch alone, peak bytes)."""
    alone = run(SandboxRequest(b"import torch", env={"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}))
    report = smoke(script, SmokeOptions(level=level))[0]
    seconds, peak = report.facts.wall_seconds or 0.0, report.facts.peak_bytes or 0
    outcome = report.judgement.outcome.value
    ratio = seconds / alone.seconds
    print(f"{outcome:12} run {seconds:6.2f} s  torch alone {alone.seconds:6.2f} s  x{ratio:.2f}  {script}", flush=True)
    return seconds, alone.seconds, peak


if __name__ == "__main__":
    main()
