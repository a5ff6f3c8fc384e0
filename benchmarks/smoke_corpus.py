"""Smoke-test a drawn sample of real scripts and print how many load, what stops the others, and what was read of them.

    python benchmarks/smoke_corpus.py draw CORPUS SAMPLE.json [--shims 108] [--unguarded 14] [--random 110]
    python benchmarks/smoke_corpus.py run SAMPLE.json ROWS.jsonl [--level forward]
    python benchmarks/smoke_corpus.py table ROWS.jsonl [--list]

CORPUS holds pull requests (`CORPUS/<number>/records/<track>/<folder>/train_gpt*.py`). The draw takes scripts that
differ in what they decode to: shims, scripts without a main guard, and any others, each in random order of one seed. A
run appends one row per script and passes over those that ROWS.jsonl already has: a stopped run goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from auditor.errors import PgolfError
from auditor.limits import DEFAULT_LIMITS
from auditor.model.smoke import SmokeLevel
from auditor.report.smoke import smoke_facts
from auditor.unpack import unpack
from auditor.usecases.smoke import SmokeOptions, smoke

_SEED = 20261122
_DECODING = re.compile(rb"\bexec\b|exec_module|runpy|spec_from|[ab](85|64)decode")
_KINDS = ("shim", "unguarded", "random")


def main() -> None:
    """Draw, run or print, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    draw = commands.add_parser("draw")
    draw.add_argument("corpus", type=Path)
    draw.add_argument("sample", type=Path)
    for kind, size in zip(_KINDS, (108, 14, 110), strict=True):
        draw.add_argument("--" + (kind if kind != "shim" else "shims"), dest=kind, type=int, default=size)
    run = commands.add_parser("run")
    run.add_argument("sample", type=Path)
    run.add_argument("rows", type=Path)
    run.add_argument("--level", default="forward", choices=["parse", "import", "model", "forward"])
    run.add_argument("--timeout", type=float, help="seconds per run; a busy machine needs more than the default")
    table = commands.add_parser("table")
    table.add_argument("rows", type=Path)
    table.add_argument("--list", action="store_true", help="name every script that did not load, and why")
    options = parser.parse_args()
    if options.command == "draw":
        sizes = {kind: getattr(options, kind) for kind in _KINDS}
        options.sample.write_text(json.dumps(_drawn(options.corpus, sizes), indent=0))
    elif options.command == "run":
        how = SmokeOptions(level=SmokeLevel[options.level.upper()], timeout=options.timeout)
        _run(json.loads(options.sample.read_text()), options.rows, how)
    else:
        rows = list(_rows(options.rows))
        _print_table(rows)
        _print_reasons(rows, options.list)


def _drawn(corpus: Path, sizes: dict[str, int]) -> list[tuple[str, str]]:
    """Return (kind, path) of the sample in mixed order, so that a part of it is a sample too."""
    pools: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    seen: set[bytes] = set()
    for path in sorted(corpus.glob("*/records/*/*/train_gpt*.py")):
        data = path.read_bytes()
        shipped = hashlib.sha256(data).digest()
        if shipped in seen:
            continue
        seen.add(shipped)
        payload = _payload(path, data)
        if payload is not None:
            if hashlib.sha256(payload).digest() in seen:
                continue
            seen.add(hashlib.sha256(payload).digest())
        kind = "shim" if payload is not None else "random" if b"__main__" in data else "unguarded"
        pools[kind].append(str(path))
    dice = random.Random(_SEED)
    sample = [(kind, path) for kind in _KINDS for path in dice.sample(pools[kind], min(sizes[kind], len(pools[kind])))]
    dice.shuffle(sample)
    print(", ".join(f"{sum(kind == k for k, _ in sample)} of {len(pools[kind])} {kind}" for kind in _KINDS))
    return sample


def _payload(path: Path, data: bytes) -> bytes | None:
    """Return what a shim decodes to, None where the script is none. Few scripts name what decoding takes."""
    if not _DECODING.search(data):
        return None
    layers = unpack(data, path.name, lambda name: _beside(path, name), DEFAULT_LIMITS.unpack).layers
    return layers[-1].raw if len(layers) > 1 else None


def _beside(script: Path, name: str) -> bytes | None:
    place = (script.parent / name).resolve()
    inside = place.is_relative_to(script.parent.resolve())
    return place.read_bytes() if inside and place.is_file() else None


def _run(sample: Iterable[tuple[str, str]], rows: Path, options: SmokeOptions) -> None:
    done = {row["file"] for row in _rows(rows)} if rows.exists() else set()
    with rows.open("a") as out:
        for kind, path in sample:
            if path in done:
                continue
            started = time.monotonic()
            try:
                told = smoke_facts(smoke(Path(path), options)[0])
                told["facts"]["hyperparameters"] = len(told["facts"]["hyperparameters"])
            except PgolfError as error:
                told = {"crash": f"{type(error).__name__}: {error}"}
            row = {"kind": kind, "file": path, "seconds": time.monotonic() - started, **told}
            out.write(json.dumps(row) + "\n")
            out.flush()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if "crash" in row:
            print(f"not measured: {row['file']}: {row['crash']}")
        else:
            yield row


def _print_table(rows: list[dict[str, Any]]) -> None:
    groups = [(kind, [row for row in rows if row["kind"] == kind]) for kind in _KINDS] + [("all", rows)]
    reached = max((SmokeLevel[row["level"].upper()] for row in rows), default=SmokeLevel.PARSE)
    print(f"{'':34}" + "".join(f"{f'{name} ({len(group)})':>18}" for name, group in groups))
    for level, title, count in (
        (SmokeLevel.IMPORT, "import PASS", _passes),
        (SmokeLevel.IMPORT, "  FAIL: a defect of the script", lambda row: row["judgement"]["outcome"] == "FAIL"),
        (SmokeLevel.IMPORT, "  INCONCLUSIVE", lambda row: row["judgement"]["outcome"] == "INCONCLUSIVE"),
        (SmokeLevel.MODEL, "model built", lambda row: row["facts"]["parameters"] is not None),
        (SmokeLevel.FORWARD, "forward pass", lambda row: row["facts"]["loss"] is not None),
        (SmokeLevel.FORWARD, "loss within 0.2 of ln(vocab)", _near),
        (SmokeLevel.PARSE, "dim, layers and vocab statically", _static),
    ):
        if level <= reached:
            print(f"{title:34}" + "".join(f"{_share(group, count):>18}" for _, group in groups))
    peaks = [row["facts"]["peak_bytes"] for row in rows if row["facts"]["peak_bytes"]]
    if peaks:
        print(f"largest peak memory {max(peaks) / 1e6:.0f} MB")


def _share(group: list[dict[str, Any]], count: Any) -> str:
    hits = sum(bool(count(row)) for row in group)
    return f"{hits} = {hits / len(group):.1%}" if group else "-"


def _passes(row: dict[str, Any]) -> bool:
    return bool(row["judgement"]["outcome"] == "PASS")


def _static(row: dict[str, Any]) -> bool:
    return all(row["facts"][name] is not None for name in ("dim", "layers", "vocab"))


def _near(row: dict[str, Any]) -> bool:
    loss, vocab = row["facts"]["loss"], row["facts"]["vocab"]
    return loss is not None and vocab is not None and abs(loss - math.log(vocab)) <= 0.2


def _print_reasons(rows: list[dict[str, Any]], every: bool) -> None:
    stopped = [row for row in rows if not _passes(row)]
    for (outcome, reason), number in Counter(
        (r["judgement"]["outcome"], r["judgement"]["reason"]) for r in stopped
    ).items():
        print(f"{number:4}  {outcome}: {reason}")
    if not every:
        return
    for row in stopped:
        judgement = row["judgement"]
        print(f"{row['kind']:10} {row['file']}: {judgement['outcome']}: {judgement['exception'][:200]}")
    for row in rows:
        if not _static(row):
            found = [row["facts"][name] for name in ("dim", "layers", "vocab")]
            print(f"{row['kind']:10} {row['file']}: dim, layers, vocab = {found}")
        for stage in ("parameters", "loss"):
            problem = row["facts"][f"{stage}_problem"]
            if problem:
                print(f"{row['kind']:10} {row['file']}: no {stage}: {problem[:200]}")


if __name__ == "__main__":
    main()
