"""Print how long whole `pgolf` processes take, beside a bare interpreter, in one run.

Usage: audit_time.py [DIRECTORY ...]     (default: every fixture below fixtures/)

Processor seconds are printed beside wall seconds: on a busy machine only the former mean something.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PGOLF = [sys.executable, "-c", "from auditor.cli import app; app()"]


def measure(command: list[str]) -> tuple[float, float]:
    """Return (wall seconds, processor seconds) of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(command: list[str], times: int = 7) -> tuple[float, float]:
    """Return the medians over several processes."""
    rows = [measure(command) for _ in range(times)]
    return statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)


def main() -> None:
    """Print the bare interpreter, `--help`, and the audits: median and the slowest ten."""
    bare = median([sys.executable, "-c", "pass"])
    print(f"python -c pass   {bare[0]:6.3f} s wall  {bare[1]:6.3f} s processor")
    helped = median([*PGOLF, "--help"])
    print(f"pgolf --help     {helped[0]:6.3f} s wall  {helped[1]:6.3f} s processor  {helped[1] / bare[1]:5.1f} x bare")
    folders = [Path(name) for name in sys.argv[1:]]
    folders = folders or sorted(path.parent for path in (ROOT / "fixtures").glob("*/*/expect.toml"))
    rows = sorted(((*measure([*PGOLF, "audit", str(folder)]), folder.name) for folder in folders), reverse=True)
    wall, spent = statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)
    ratio = f"{spent / bare[1]:5.1f} x bare ({len(rows)} audits)"
    print(f"pgolf audit      {wall:6.3f} s wall  {spent:6.3f} s processor  {ratio}")
    for slow, processor, name in rows[:10]:
        print(f"  {slow:6.2f} s wall  {processor:6.2f} s processor  {name}")


if __name__ == "__main__":
    main()
