"""PG401: model bytes that a run wrote plus the shipped code, against the cap, per seed."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.measure.sizes import compressed_models, logged_total_line
from auditor.model.evidence import SeedRow
from auditor.model.finding import Effect, Finding, Pass, PathStep
from auditor.model.logs import LogFile
from auditor.rules.context import RuleContext
from auditor.rules.measured import claimed_files, counted, counted_logs, number_of, place, step


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare every run's artifact with the cap; the largest counts."""
    cap = int(number_of(ctx, "artifact_bytes"))
    logs = {log.file: log for log in counted_logs(ctx)}
    known = [(row, total) for row in ctx.evidence.seeds if (total := _total(row)) is not None]
    if not known:
        if ctx.evidence.seeds:
            yield ctx.unproven(
                "no log states the bytes of the compressed model, so the artifact's size is unknown", effect=Effect.NOTE
            )
        return
    behind = claimed_files(ctx)
    over = [(row, total) for row, total in known if total > cap and row.file in behind]
    if over and all(_fits_packed(row, cap) for row, _ in over):
        yield _packed(ctx, logs, over, cap)
    elif over:
        worst = max(over, key=lambda item: item[1])
        steps = tuple(_step(ctx, logs[row.file], row, total) for row, total in over)
        yield ctx.violation(
            f"{len(over)} of {len(known)} runs exceed {cap:,} bytes; the largest artifact is {worst[1]:,} bytes "
            f"({worst[1] - cap:+,}), in {worst[0].file}",
            steps[0].span,
            steps,
        )
    if over:
        return
    largest = max(known, key=lambda item: item[1])
    yield ctx.established(
        f"the largest artifact of {counted(len(known), 'run')} is {largest[1]:,} bytes, "
        f"{cap - largest[1]:,} below the cap"
    )
    for row, total in known:
        logged = row.logged_total_bytes
        if logged is not None and logged > cap:
            line = logged_total_line(logs[row.file])
            yield ctx.violation(
                f"the log's own total of {logged:,} bytes is above {cap:,}, model plus shipped code is {total:,}: "
                "the log counts another copy of the code",
                place(row.file, line.line if line else 1),
                effect=Effect.NOTE,
            )


def _fits_packed(row: SeedRow, cap: int) -> bool:
    """Say whether the log counted less code than is shipped, and with that the run fits."""
    return row.model_bytes is not None and row.code_bytes is not None and row.model_bytes + row.code_bytes <= cap


def _packed(ctx: RuleContext, logs: dict[str, LogFile], over: list[tuple[SeedRow, int]], cap: int) -> Finding:
    row, total = max(over, key=lambda item: item[1])
    compressed = all(
        any(item.unit.startswith("compressed") for item in logs[one.file].facts if item.fact == "code_bytes")
        for one, _ in over
    )
    steps = tuple(_step(ctx, logs[one.file], one, size) for one, size in over)
    kind = "compressed code" if compressed else "other code"
    return ctx.violation(
        f"with the script as shipped ({ctx.evidence.code_bytes:,} bytes) "
        f"{counted(len(over), 'run', 'exceed')} {cap:,} bytes, the largest with {total:,}; the logs count "
        f"{kind} of {row.code_bytes:,} bytes, and with that they fit: the counted script would have to be "
        "the one that is shipped",
        steps[0].span,
        steps,
        effect=Effect.NOTE if compressed else Effect.ACTION,
    )


def _total(row: SeedRow) -> int | None:
    """Model plus shipped code; where the log prints no model size, its own total."""
    return row.total_bytes if row.total_bytes is not None else row.logged_total_bytes


def _step(ctx: RuleContext, log: LogFile, row: SeedRow, total: int) -> PathStep:
    models = compressed_models(log)
    if row.total_bytes is None or not models:
        line = logged_total_line(log)
        return step(log.file, line.line if line else 1, line.raw if line else "", f"the log's total is {total:,}")
    code = f"{ctx.evidence.code_bytes:,}" if ctx.evidence.code_bytes is not None else "unknown"
    return step(
        log.file,
        models[-1].line,
        models[-1].raw,
        f"model {row.model_bytes:,} + shipped code {code} = {total:,} bytes",
    )
