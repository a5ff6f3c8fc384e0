"""Measure the log reader on extracted pull requests: speed, agreement with another parser, golden rows, counts.

    python benchmarks/logs.py CORPUS [--facts log_facts.jsonl] [--limit N] [--jobs 2]

CORPUS holds <PR>/records/<track>/<folder>/...; nothing of it is written anywhere. Unique folders are those whose
JSON, scripts and logs no lower pull request has already shipped; the reference counts leave out folders that a pull
request only modifies, which cannot be seen here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from auditor.intake.logs import read_logs
from auditor.intake.manifest import claim_of, read_manifest
from auditor.limits import DEFAULT_LIMITS
from auditor.measure.codechange import code_change, dumped_source
from auditor.measure.consistency import inconsistencies
from auditor.measure.headline import last_metric, resolve_headline
from auditor.measure.rows import row_of
from auditor.measure.select import main_logs, observed_seed
from auditor.measure.settings import unknown_settings
from auditor.measure.timing import calibration_ms, eval_times, train_time, untimed_calibration
from auditor.model.submission import FileEntry, FileKind, Submission, Track

TEXT = (".log", ".txt", ".out", ".json", ".md", ".py", "")
REFERENCE: dict[str, int] = {
    "unique folders with a log": 1385,
    "of these in the 10min track": 921,
    "i logged total known": 1246,
    "i a main log's total > 16,000,000": 148,
    "i the same, 10min": 88,
    "i json <= 16,000,000 < a main log": 54,
    "i compressed model alone > 16,000,000": 89,
    "i over only because of other code counted": 20,
    "ii 10min with a train time": 888,
    "ii train > 600.0 s": 454,
    "ii train > 600.2 s": 75,
    "ii train > 600.5 s": 60,
    "ii train > 601 s": 51,
    "ii train > 605 s": 35,
    "ii train > 660 s": 31,
    "ii 10min with eval times": 871,
    "ii one eval > 600 s": 58,
    "ii logged eval total > 600 s": 4,
    "ii sum of evals > 600 s": 121,
    "iii folders with a claim and a metric": 1243,
    "iii near or not found": 71,
    "iii best seed claimed": 72,
    "iv code size comparable": 1054,
    "iv code size different": 287,
    "iv folders with a dump": 398,
    "iv dump different": 155,
    "v 10min with < 3 seeds": 353,
    "v json claims >= 3 seeds, logs fewer": 18,
    "v file name and log name another seed": 13,
    "vi identical logs in a folder": 45,
    "vi same losses under two seeds": 0,
    "vi same 8-digit bpb for two seeds": 3,
    "vi same model bytes for two seeds": 1,
    "vii folders with a block and readable code": 288,
    "vii settings unknown to the code": 14,
    "viii 10min with a world size": 855,
    "viii a main log with another than 8": 48,
    "viii all logs with another than 8": 44,
    "viii GPU named": 225,
    "viii GPU named and not H100": 17,
    "ix timed calibration after the stop": 347,
    "ix untimed only": 41,
    "ix train + calibration > 600.5 s": 191,
    "ix train + calibration > 605 s": 46,
    "ix train + calibration > 660 s": 18,
    "x step average fails, unexplained": 2,
    "x throughput fails": 1,
    "x bpb ratio differs between seeds": 7,
    "x claim stands before the last model": 7,
}
"""Counts that an earlier, independent parser gave over the same corpus."""


OWN = {
    "exact twin": "x a metric does not round its _exact twin",
    "validation tokens": "x runs of one claim print other token counts",
    "total": "x logged total is not model + code",
    "time": "x training time runs backwards",
}
"""Relations that the earlier parser did not count by folder."""


def submission(folder: Path) -> Submission:
    """Read the text files of a folder; sizes of the others."""
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes() if path.suffix in TEXT else None
        digest = hashlib.sha256(data).hexdigest() if data is not None else None
        size = len(data) if data is not None else path.stat().st_size
        files.append(FileEntry(path.relative_to(folder).as_posix(), FileKind.REGULAR, size, data, digest))
    track = Track.RECORD if "10min" in folder.parent.name else Track.NON_RECORD
    script = "train_gpt.py" if (folder / "train_gpt.py").is_file() else None
    return Submission(folder.as_posix(), folder.name, track, tuple(files), script, "")


def content(item: Submission) -> str:
    """Name what makes two folders copies of each other: JSON, scripts and logs."""
    rows = [f"{e.path} {e.sha256}" for e in item.files if e.sha256 and not e.path.lower().endswith(".md")]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def measure(job: tuple[Path, bool]) -> dict[str, Any]:
    """Return everything that is counted of one folder."""
    folder, with_code = job
    item = submission(folder)
    began = time.process_time()
    logs = read_logs(item, DEFAULT_LIMITS.logs)
    seconds = time.process_time() - began
    claim, manifest = claim_of(read_manifest(item)), read_manifest(item)
    headline = resolve_headline(claim, logs)
    main = main_logs(logs)
    script = item.file(item.script) if item.script else None
    rows = {log.file: row_of(log, headline, script.size if script else None) for log in logs}
    return {
        "pr": int(folder.parts[-4]) if folder.parts[-4].isdigit() else 0,
        "key": (folder.parts[-4], folder.parent.name, folder.name),
        "content": content(item),
        "record": item.track is Track.RECORD,
        "seconds": seconds,
        "files": sum(1 for log in logs),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "logs": {log.file: facts_of(log, rows[log.file]) for log in logs},
        "flags": set(flags(item, logs, main, rows, headline, claim, manifest, with_code)) if main else set(),
    }


def facts_of(log: Any, row: Any) -> dict[str, Any]:
    """Return the values that the other parser has for a log as well."""
    last = last_metric(log)
    return {
        "seed": row.seed if row.seed is not None else row.seed_in_name,
        "world_size": row.world_size,
        "train_time_ms": None if row.train_s is None else row.train_s * 1000.0,
        "steps": row.steps,
        "bytes_code": row.code_bytes,
        "bytes_model": row.model_bytes,
        "bytes_total": row.logged_total_bytes,
        "headline_bpb": last.bpb if last else None,
        "python": row.python,
        "torch": row.torch,
        "n_runs": log.runs,
    }


def flags(
    item: Any, logs: Any, main: Any, rows: Any, headline: Any, claim: Any, manifest: Any, with_code: bool
) -> Iterator[str]:
    """Yield the names of the counts that this folder belongs to."""
    yield "unique folders with a log"
    mine = [rows[log.file] for log in main]
    yield from size_flags(mine, manifest)
    yield from claim_flags(headline, claim, logs)
    yield from code_flags(item, main, mine)
    yield from consistency_flags(logs, main, headline)
    if with_code:
        yield from settings_flags(item, main)
    if item.track is Track.RECORD:
        yield "of these in the 10min track"
        if any((row.logged_total_bytes or 0) > 16_000_000 for row in mine):
            yield "i the same, 10min"
        yield from time_flags(main)
        yield from seed_flags(main, manifest)
        yield from hardware_flags(mine)


def size_flags(rows: list[Any], manifest: Any) -> Iterator[str]:
    totals = [row.logged_total_bytes for row in rows if row.logged_total_bytes is not None]
    if totals:
        yield "i logged total known"
    if any(total > 16_000_000 for total in totals):
        yield "i a main log's total > 16,000,000"
        if manifest.bytes_total and manifest.bytes_total <= 16_000_000:
            yield "i json <= 16,000,000 < a main log"
        known = [row.total_bytes for row in rows if row.model_bytes]
        if known and all(total is not None and total <= 16_000_000 for total in known):
            yield "i over only because of other code counted"
    if any((row.model_bytes or 0) > 16_000_000 for row in rows):
        yield "i compressed model alone > 16,000,000"


def claim_flags(headline: Any, claim: Any, logs: Any) -> Iterator[str]:
    if claim.bpb is not None and claim.source == "submission.json" and any(log.metrics for log in logs):
        yield "iii folders with a claim and a metric"
        if headline.level in ("near", "not found"):
            yield "iii near or not found"
        if headline.level == "best seed":
            yield "iii best seed claimed"


def code_flags(item: Any, main: Any, rows: list[Any]) -> Iterator[str]:
    entry = item.file(item.script) if item.script else None
    if entry is None or entry.data is None:
        return
    sizes = [row.code_bytes for row in rows if row.code_bytes]
    pairs = any(fact.unit.startswith("compressed") for log in main for fact in log.facts if fact.fact == "code_bytes")
    if sizes and not pairs:
        yield "iv code size comparable"
        if all(abs(size - entry.size) > 2 for size in sizes):
            yield "iv code size different"
    dumps = [dump for log in main if (dump := dumped_source(log))]
    if dumps:
        yield "iv folders with a dump"
        if code_change(dumps[0], entry.data.decode("utf-8", "replace").replace("\r\n", "\n")).kind != "same":
            yield "iv dump different"


def consistency_flags(logs: Any, main: Any, headline: Any) -> Iterator[str]:
    if any(log.duplicate_of for log in logs if log.lines):
        yield "vi identical logs in a folder"
    names = {
        "equal losses": "vi same losses under two seeds",
        "equal value": "vi same 8-digit bpb for two seeds",
        "equal size": "vi same model bytes for two seeds",
        "throughput": "x throughput fails",
        "bpb ratio": "x bpb ratio differs between seeds",
        "order": "x claim stands before the last model",
    }
    for found in inconsistencies(main, headline):
        if found.kind in names:
            yield names[found.kind]
        elif found.kind == "step average" and found.strong:
            yield "x step average fails, unexplained"
        elif found.kind in OWN:
            yield OWN[found.kind]


def settings_flags(item: Any, main: Any) -> Iterator[str]:
    from auditor.frontend.program import load_program

    blocks = [log for log in main if len(log.settings_block) >= 10]
    if not blocks or item.script is None:
        return
    program = load_program(item, "3.10", DEFAULT_LIMITS)
    if program is None or program.main.unpacked.opaque:
        return
    yield "vii folders with a block and readable code"
    if any(found.active or found.inactive for log in blocks if (found := unknown_settings(log, program))):
        yield "vii settings unknown to the code"


def time_flags(main: Any) -> Iterator[str]:
    trains = [time.ms / 1000.0 for log in main if (time := train_time(log))]
    if trains:
        yield "ii 10min with a train time"
    for bound in (600.0, 600.2, 600.5, 601, 605, 660):
        if any(train > bound for train in trains):
            yield f"ii train > {bound} s"
    times = [eval_times(log) for log in main]
    if any(t.longest for t in times):
        yield "ii 10min with eval times"
    if any((t.longest.eval_ms or 0) > 600_000 for t in times if t.longest):
        yield "ii one eval > 600 s"
    if any(float(t.logged_total.value) > 600_000 for t in times if t.logged_total):
        yield "ii logged eval total > 600 s"
    if any((t.distinct_sum_ms or 0) > 600_000 for t in times):
        yield "ii sum of evals > 600 s"
    sums = [
        time.ms / 1000 + spent / 1000 for log in main if (time := train_time(log)) and (spent := calibration_ms(log))
    ]
    if sums:
        yield "ix timed calibration after the stop"
    elif any(untimed_calibration(log) for log in main):
        yield "ix untimed only"
    for bound in (600.5, 605, 660):
        if any(total > bound for total in sums):
            yield f"ix train + calibration > {bound} s"


def seed_flags(main: Any, manifest: Any) -> Iterator[str]:
    seeds = {seed if (seed := observed_seed(log)) is not None else log.file for log in main}
    if len(seeds) < 3:
        yield "v 10min with < 3 seeds"
        if len(manifest.seeds) >= 3:
            yield "v json claims >= 3 seeds, logs fewer"
    if any(log.seed_in_name not in (None, observed_seed(log)) and observed_seed(log) is not None for log in main):
        yield "v file name and log name another seed"


def hardware_flags(rows: list[Any]) -> Iterator[str]:
    sizes = [row.world_size for row in rows if row.world_size is not None]
    if sizes:
        yield "viii 10min with a world size"
    if any(size != 8 for size in sizes):
        yield "viii a main log with another than 8"
        if all(size != 8 for size in sizes):
            yield "viii all logs with another than 8"
    named = [row.gpu for row in rows if row.gpu]
    if named:
        yield "viii GPU named"
        if any("H100" not in gpu for gpu in named):
            yield "viii GPU named and not H100"


FIELDS = {"train_time_ms": 1.0, "headline_bpb": 6e-5}
"""Absolute tolerance where it is not zero."""


def agreement(results: Iterable[dict[str, Any]], facts: Path, shown: int) -> None:
    """Print the share of values in which both parsers agree, and some of the others; their 0 ms is an unknown time."""
    ours = {result["key"]: result["logs"] for result in results}
    hits: Counter[str] = Counter()
    both: Counter[str] = Counter()
    misses: dict[str, list[str]] = defaultdict(list)
    for text in facts.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        key = (str(row["pr"]), row["track"], row["folder"])
        for log in row["logs"] if key in ours else ():
            mine = ours[key].get(log["file"])
            both["file"] += 1
            hits["file"] += mine is not None
            if mine is None:
                misses["file"].append(f"{key[0]} {log['file']}")
                continue
            theirs = {**log, "train_time_ms": log["train_time_ms"] or None}
            for name, value in mine.items():
                both[name] += 1
                other = theirs.get(name)
                close = value is not None and other is not None and not isinstance(value, str)
                same = value == other or (close and abs(value - other) <= FIELDS.get(name, 0.0))
                hits[name] += same
                if not same:
                    misses[name].append(f"{key[0]} {log['file']}: {value} / {other}")
    print("\nagreement with the other parser (ours / theirs for the first that differ)")
    for name in both:
        print(f"  {name:14} {hits[name]:5}/{both[name]:5} {100 * hits[name] / both[name]:6.2f} %")
        for miss in misses[name][:shown]:
            print(f"      {miss[:150]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--facts", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="only every n-th folder")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--code", action="store_true", help="unpack the scripts too (vii)")
    parser.add_argument("--shown", type=int, default=3, help="differing values printed per field")
    parser.add_argument("--named", type=int, default=0, help="print the pull requests of counts up to this")
    options = parser.parse_args()
    folders = [path for path in sorted(options.corpus.glob("*/records/*/*")) if path.is_dir()]
    folders.sort(key=lambda path: int(path.parts[-4]) if path.parts[-4].isdigit() else 0)
    folders = folders[:: options.limit or 1]
    began = time.perf_counter()
    with multiprocessing.Pool(options.jobs) as pool:
        results = list(pool.imap(measure, [(path, options.code) for path in folders], chunksize=8))
    wall = time.perf_counter() - began
    spent = sum(result["seconds"] for result in results)
    files = sum(result["files"] for result in results)
    print(
        f"{len(folders)} folders, {files} logs: reading took {spent:.1f} s of processor time, "
        f"{spent / max(files, 1) * 1000:.1f} ms a log, {spent / options.jobs:.1f} s on {options.jobs} cores; all "
        f"{wall:.1f} s of wall time; largest process {max(result['peak'] for result in results):.0f} MiB"
    )
    if options.facts:
        agreement(results, options.facts, options.shown)
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    named: dict[str, list[int]] = defaultdict(list)
    for result in results:
        if result["content"] not in seen:
            seen.add(result["content"])
            counts.update(result["flags"])
            for name in result["flags"]:
                named[name].append(result["pr"])
    print("\ncounts over unique folders: ours / the earlier count")
    for name, expected in REFERENCE.items():
        if name.startswith("vii ") and not options.code:
            continue
        print(f"  {name:46} {counts[name]:5} / {expected:5}")
        if 0 < counts[name] <= options.named:
            print(f"      {' '.join(map(str, sorted(named[name])))}")
    for name in OWN.values():
        print(f"  {name:46} {counts[name]:5}")
        if 0 < counts[name] <= options.named:
            print(f"      {' '.join(map(str, sorted(named[name])))}")


if __name__ == "__main__":
    main()
