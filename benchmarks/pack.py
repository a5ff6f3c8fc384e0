"""Pack real shims' payloads and readable scripts, and print the ratios that README.md's "Pack" section quotes.

Usage: python benchmarks/pack.py PRS_DIR [--every N] [--levels fast,best,max] [--rows ROWS.jsonl] [--keep DIR]

PRS_DIR holds PR-shaped directories (NUMBER/records/TRACK/FOLDER/train_gpt*.py); nothing from it is executed or copied.
Shims: payload decoded statically, result against the author's own file, even pull request numbers (on which the coder
was tuned) and odd ones (which it never saw) apart. Readable scripts: drawn with a fixed seed from files of 20 to
400 kB, result against the source. Each row is appended to ROWS as it is measured and never measured again: a run that
is stopped goes on where it was. With --keep, originals and packed files go to DIR for `pack_check.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import PgolfError
from auditor.limits import DEFAULT_LIMITS
from auditor.packer.options import Level, PackOptions
from auditor.unpack import unpack
from auditor.usecases.pack import pack

SEED = 20251121


@dataclass(frozen=True)
class Case:
    """One script to pack: `base` is the size it is measured against."""

    group: str
    number: int
    name: str
    source: bytes
    base: int


def scripts(root: Path) -> Iterator[tuple[int, str, bytes]]:
    """Yield (pull request, digest, bytes) of every distinct script, in order."""
    seen: set[str] = set()
    for path in sorted(root.glob("*/records/**/train_gpt*.py")):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()[:12]
        if digest not in seen and data:
            seen.add(digest)
            yield int(path.relative_to(root).parts[0]), digest, data


def payload(data: bytes) -> bytes | None:
    """Return the text that a shim runs, None for other files and bundles (whose first file is smaller than they)."""
    if len(re.findall(rb"[!-~]{60}", data)) * 60 < len(data) * 0.4:
        return None
    unpacked = unpack(data, "train_gpt.py", lambda _: None, DEFAULT_LIMITS.unpack)
    inside = unpacked.layers[1].raw if len(unpacked.layers) > 1 else b""
    return inside if len(inside) > len(data) else None


def cases(root: Path, readable: int) -> list[Case]:
    """Return the shims with one-script payloads and a seeded draw of readable scripts, in a fixed shuffled order."""
    shims: list[Case] = []
    plain: list[Case] = []
    for number, digest, data in scripts(root):
        inside = payload(data)
        if inside is not None:
            shims.append(Case("shims", number, f"{number}-{digest}", inside, len(data)))
        elif 20_000 <= len(data) <= 400_000:
            plain.append(Case("readable", number, f"{number}-{digest}", data, len(data)))
    draw = random.Random(SEED)
    drawn = draw.sample(plain, min(readable, len(plain)))
    draw.shuffle(shims)
    return shims + drawn


def spread(found: list[Case]) -> list[Case]:
    """Order cases so that a run that is stopped has seen some of each: odd shims, readable scripts, even shims."""
    odd = [c for c in found if c.group == "shims" and c.number % 2]
    even = [c for c in found if c.group == "shims" and c.number % 2 == 0]
    plain = [c for c in found if c.group == "readable"]
    mixed: list[Case] = []
    for index, one in enumerate(odd):
        mixed.append(one)
        mixed += plain[index : index + 1] if index % 2 == 0 else []
    return mixed + [c for c in (*even, *plain) if c not in mixed]


def measure(case: Case, level: Level, ascii_only: bool, keep: Path | None) -> dict[str, Any]:
    """Pack one script; seconds are of CPU time, so that other work on the machine does not count."""
    row: dict[str, Any] = {"group": case.group, "pr": case.number, "name": case.name, "level": level.value}
    row |= {"ascii": ascii_only, "base": case.base, "source": len(case.source)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train_gpt.py")
        path.write_bytes(case.source)
        start, wall = time.process_time(), time.monotonic()
        try:
            result = pack(path, PackOptions(level=level, ascii=ascii_only))
        except PgolfError as error:
            return row | {"refused": str(error)}
        row |= {"seconds": round(time.process_time() - start, 2), "wall": round(time.monotonic() - wall, 2)}
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{case.name}.{level.value}{'.ascii' if ascii_only else ''}.py").write_bytes(result.data)
        (keep / f"{case.name}.original").write_bytes(case.source)
    row |= {"size": len(result.data), "carried": len(result.carried), "codec": result.codec}
    return row | {"carrier": result.carrier, "decode": result.decode_s, "notes": [*result.notes]}


def read_rows(path: Path | None) -> list[dict[str, Any]]:
    """Return the rows measured so far; a last line cut short by a kill is dropped."""
    rows: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path is not None and path.exists() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _line(label: str, rows: list[dict[str, Any]]) -> str:
    ratios = sorted(r["size"] / r["base"] for r in rows)
    total = sum(r["size"] for r in rows) / sum(r["base"] for r in rows)
    seconds = sorted(r["seconds"] for r in rows)
    text = f"  {label:5} n={len(rows):3}  median {statistics.median(ratios):.3f}  total {total:.3f}"
    text += f"  best {ratios[0]:.3f}  worst {ratios[-1]:.3f}  larger {sum(r > 1 for r in ratios)}"
    text += f"  CPU s: median {statistics.median(seconds):.1f} worst {seconds[-1]:.1f}"
    decodes = [r["decode"] / r["carried"] * 50_000 for r in rows if r["decode"]]
    return text + (f"  decode of 50,000 symbols {statistics.median(decodes):.1f} s" if decodes else "")


def report(rows: list[dict[str, Any]]) -> None:
    """Print one block per level, carrier and kind of script."""
    for row in rows:
        if "refused" in row:
            print(f"refused: {row['name']} {row['level']}: {row['refused']}")
    rows = [r for r in rows if "refused" not in r]
    kinds = sorted({(r["group"] != "shims", ["fast", "best", "max"].index(r["level"]), r["ascii"]) for r in rows})
    for readable, level, ascii_only in kinds:
        group, name = ("readable" if readable else "shims"), ["fast", "best", "max"][level]
        block = [r for r in rows if (r["group"], r["level"], r["ascii"]) == (group, name, ascii_only)]
        print(f"{group} {name}{' --ascii' if ascii_only else ''}")
        halves = {
            "all": block,
            "even": [r for r in block if r["pr"] % 2 == 0],
            "odd": [r for r in block if r["pr"] % 2],
        }
        for label, half in halves.items():
            if half and (label == "all" or not readable):
                print(_line(label, half))
        carriers = sorted({(r["codec"], r["carrier"]) for r in block})
        counts = (f"{c}/{k} {sum((r['codec'], r['carrier']) == (c, k) for r in block)}" for c, k in carriers)
        print(f"        {', '.join(counts)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every Nth script")
    parser.add_argument("--levels", default="fast,best,max")
    parser.add_argument("--readable", type=int, default=60)
    parser.add_argument("--rows", type=Path, help="append rows here, and skip those that are there")
    parser.add_argument("--keep", type=Path, help="write originals and packed files here")
    parser.add_argument("--report", action="store_true", help="measure nothing, print what ROWS holds")
    chosen = parser.parse_args()
    rows = read_rows(chosen.rows)
    done = {(r["name"], r["level"], r["ascii"]) for r in rows}
    found = [] if chosen.report else spread(cases(chosen.root, chosen.readable))[:: chosen.every]
    for level in map(Level, chosen.levels.split(",")):
        for case in found:
            for ascii_only in (False,) if level is Level.FAST else (False, True):
                if (case.name, level.value, ascii_only) in done:
                    continue
                rows.append(measure(case, level, ascii_only, chosen.keep))
                if chosen.rows is not None:
                    with chosen.rows.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
                print(".", end="", file=sys.stderr, flush=True)
    report(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
