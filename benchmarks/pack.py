"""Pack real shims' payloads and readable scripts, and print the ratios that README.md's "Pack" section quotes.

Usage: python benchmarks/pack.py PRS_DIR [--every N] [--levels best,max] [--readable N] [--no-ascii] [--untuned]

PRS_DIR holds PR-shaped directories (NUMBER/records/TRACK/FOLDER/train_gpt*.py); nothing from it is executed or copied.
Shims: payload decoded statically, result against the author's own file, even PR numbers (on which the coder was
tuned) and odd
ones apart. Readable scripts: drawn with a fixed seed from files of 20 to 400 kB, result against the source.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.errors import PgolfError
from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.packer.options import Level, PackOptions
from auditor.unpack import unpack
from auditor.usecases.pack import pack

SEED = 20251121


@dataclass(frozen=True)
class Case:
    """One script to pack: `base` is the size it is measured against."""

    number: int
    source: bytes
    base: int


def scripts(root: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (pull request, bytes) of every distinct script, in order."""
    seen: set[str] = set()
    for path in sorted(root.glob("*/records/**/train_gpt*.py")):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in seen and data:
            seen.add(digest)
            yield int(path.relative_to(root).parts[0]), data


def looks_packed(data: bytes) -> bool:
    return (
        len(data) < 120_000
        and (b"lzma" in data or b"zlib" in data or b"brotli" in data)
        and bool(re.search(rb"[!-~]{400}", data))
    )


def cases(root: Path, readable: int) -> tuple[list[Case], list[Case]]:
    """Return the shims with one-script payloads, and a seeded draw of readable scripts."""
    shims: list[Case] = []
    plain: list[Case] = []
    for number, data in scripts(root):
        unpacked = unpack(data, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack) if looks_packed(data) else None
        if unpacked is not None and len(unpacked.layers) > 1:
            shims.append(Case(number, unpacked.payload.raw, len(data)))
        elif 20_000 <= len(data) <= 400_000:
            plain.append(Case(number, data, len(data)))
    return shims, random.Random(SEED).sample(plain, min(readable, len(plain)))


def measure(case: Case, options: PackOptions, verify: bool, limits: Limits) -> tuple[float, float, str] | None:
    """Return (ratio, seconds, codec) of one packing; None where it is refused (printed)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_bytes(case.source)
        start = time.monotonic()
        try:
            result = pack(path, options, verify=verify, limits=limits)
        except PgolfError as error:
            print(f"refused PR {case.number}: {error}", file=sys.stderr)
            return None
        return len(result.data) / case.base, time.monotonic() - start, f"{result.codec}/{result.carrier}"


def report(name: str, rows: list[tuple[int, float, float, str]]) -> None:
    """Print one line per group of rows."""
    for label, group in (
        ("all", rows),
        ("even", [r for r in rows if r[0] % 2 == 0]),
        ("odd", [r for r in rows if r[0] % 2]),
    ):
        if group:
            ratios = [r[1] for r in group]
            seconds = statistics.median(r[2] for r in group)
            print(
                f"{name:22} {label:5} n={len(group):3} median {statistics.median(ratios):.4f} max {max(ratios):.4f} "
                f"min {min(ratios):.4f}  pack {seconds:.1f} s (median)",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every Nth shim")
    parser.add_argument("--levels", default="best,max")
    parser.add_argument("--readable", type=int, default=60)
    parser.add_argument("--no-ascii", action="store_true")
    parser.add_argument("--untuned", action="store_true", help="do not search the coder's parameters (6 times faster)")
    parser.add_argument("--verify", action="store_true")
    chosen = parser.parse_args()
    tuned = 0 if chosen.untuned else DEFAULT_LIMITS.pack.tuned_symbols
    limits = replace(DEFAULT_LIMITS, pack=replace(DEFAULT_LIMITS.pack, tuned_symbols=tuned))
    shims, plain = cases(chosen.root, chosen.readable)
    print(f"{len(shims)} shims, {len(plain)} readable scripts, every {chosen.every}. shim", flush=True)
    for level in chosen.levels.split(","):
        for ascii_only in (False,) if chosen.no_ascii else (False, True):
            options = replace(PackOptions(), level=Level(level), ascii=ascii_only)
            for group, found in (("shims", shims), ("readable", plain)):
                rows = []
                for case in found[:: chosen.every if group == "shims" else 1]:
                    one = measure(case, options, chosen.verify, limits)
                    if one is not None:
                        rows.append((case.number, *one))
                        print(
                            f"  PR {case.number} {level} ascii={ascii_only} {one[0]:.4f} {one[1]:.1f}s {one[2]}",
                            flush=True,
                        )
                report(f"{group} {level}/{'ascii' if ascii_only else 'raw'}", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
