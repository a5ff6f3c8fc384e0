"""PG403: the shipped script against what the logs say of the code that ran: its size, and its printed source."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.intake.decode import decode
from auditor.measure.codechange import code_change, dumped_source
from auditor.measure.select import in_run, metric_run
from auditor.model.finding import Effect, Finding, Pass
from auditor.model.logs import LogFile, Observed
from auditor.rules.context import RuleContext
from auditor.rules.measured import counted, counted_logs, listing, place, quoted

_NEWLINES = 2


def check(ctx: RuleContext) -> Iterator[Finding | Pass]:
    """Compare size and source; only another program, or changed lines, is more than a note."""
    entry = ctx.submission.file(ctx.submission.script) if ctx.submission.script else None
    if entry is None or entry.data is None:
        return
    yield from _sizes(ctx, entry.data)
    yield from _sources(ctx, decode(entry.data)[0])


def _sizes(ctx: RuleContext, script: bytes) -> Iterator[Finding | Pass]:
    sizes = _known_sizes(ctx, script)
    different: dict[int, list[LogFile]] = {}
    equal = 0
    first: dict[int, Observed] = {}
    for log in counted_logs(ctx):
        lines = [item for item in in_run(log, "code_bytes", metric_run(log)) if int(item.value) > 0]
        if not lines:
            continue
        if any(_explained(int(item.value), sizes) for item in lines):
            equal += 1
            continue
        value = int(lines[-1].value)
        different.setdefault(value, []).append(log)
        first.setdefault(value, lines[-1])
    for value, logs in sorted(different.items()):
        yield ctx.violation(
            f"{listing(log.file for log in logs)} counted {value:,} bytes of code, the shipped script has "
            f"{len(script):,} ({len(script) - value:+,} bytes): it was changed or packed after the run",
            place(first[value].file, first[value].line),
            effect=Effect.NOTE,
        )
    if equal and not different:
        yield ctx.established(f"the code size in {counted(equal, 'log')} is that of the shipped script")


def _known_sizes(ctx: RuleContext, script: bytes) -> set[int]:
    sizes = {len(script), len(script.replace(b"\r\n", b"\n")), len(script.decode("utf-8", "replace"))}
    if ctx.program is not None:
        sizes |= {len(layer.raw) for layer in ctx.program.main.unpacked.layers}
        helpers = [entry.size for m in ctx.program.helpers if (entry := ctx.submission.file(m.file)) is not None]
        sizes |= {*helpers, len(script) + sum(helpers)}
    return sizes


def _explained(value: int, sizes: set[int]) -> bool:
    return value in sizes


def _sources(ctx: RuleContext, shipped: str) -> Iterator[Finding | Pass]:
    texts = [shipped]
    if ctx.program is not None:
        texts += [layer.text for layer in ctx.program.main.unpacked.layers[1:]]
    seen: set[str] = set()
    same: list[str] = []
    for log in counted_logs(ctx):
        dump = dumped_source(log)
        if not dump:
            continue
        change = min((code_change(dump, text) for text in texts), key=lambda item: item.removed + item.added)
        if change.kind == "same":
            same.append(log.file)
        elif change.kind not in seen:
            seen.add(change.kind)
            shown = "; ".join(quoted(text) for text in change.examples)
            yield ctx.violation(
                f"the source that {log.file} prints differs from the shipped script ({change.kind}: {change.removed} "
                f"lines of the log's copy are gone, {change.added} are new): {shown}",
                place(log.file, change.line or dump[0][0]),
                effect=Effect.REVIEW if change.kind == "another program" else Effect.NOTE,
            )
    if same and not seen:
        yield ctx.established(f"the source printed in {listing(same)} is the shipped script")
