"""Arithmetic that a log's numbers must obey among themselves.

A number that does not fit is "not mutually consistent": an edit, a transcription, a resumed run or a changed timer can
each cause it. This module measures; it never says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.intake.metric_lines import family_of
from auditor.measure.select import in_run, last_runs, metric_run, observed_seed
from auditor.measure.sizes import compressed_model, compressed_models, logged_code, logged_total_line
from auditor.measure.timing import train_time, training_end
from auditor.model.evidence import Headline
from auditor.model.logs import LogFile, Metric, Observed, StepLine

_AVG_ABS_MS = 0.02
_AVG_REL = 0.0015
_TOK_SLACK_MS = 3100.0
"""Half a printed unit of family B (0.05 minutes) with rounding of tok/s."""
_TOK_REL = 0.01
_RATIO_NOTE = 1e-4
"""Relative spread of bpb / val_loss above which more than rounding or an evaluation window is at work."""
_RATIO_OTHER = 0.05
"""Relative spread above which the runs use two tokenizers: another constant, not another value of it."""
_RATIO_FLOOR = 3e-7
"""Relative spread that sums in single precision reach by themselves."""
_SAME_LOSSES = 5
_TWIN_BPB = 6e-5
"""Half a unit of the fourth decimal with the rounding of the exact value."""
_TOKENS_REL = 1e-3
"""A last window that is cut or not changes the count of one set by less."""


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """One relation that does not hold."""

    kind: str
    message: str
    file: str
    line: int
    raw: str
    strong: bool
    """True where rounding, resuming within the log or printing twice do not explain it by themselves."""


def inconsistencies(logs: Sequence[LogFile], headline: Headline) -> Iterator[Inconsistency]:
    """Yield what does not fit in the main logs, single logs first, then what several logs say together."""
    for log in logs:
        yield from _step_average(log)
        yield from _throughput(log)
        yield from _backwards(log)
        yield from _total(log)
        yield from _exact_twins(log)
        yield from _written_later(log, headline)
    yield from _ratio(logs, headline)
    yield from _val_tokens(logs, headline)
    yield from _equal_values(logs, headline)
    yield from _equal_losses(logs)


def step_average_holds(step: StepLine) -> bool | None:
    """Say whether train_time / step is the printed average, None where the line does not print both."""
    if step.step_avg_ms is None or step.time_ms is None or step.step < 1:
        return None
    expected = step.time_ms / step.step
    tolerance = max(_AVG_ABS_MS, 1.0 / step.step, _AVG_REL * expected)
    return abs(expected - step.step_avg_ms) <= tolerance


def throughput_holds(step: StepLine, batch_tokens: float) -> bool | None:
    """Say whether step * batch tokens / (tok/s) is the printed time, None where the line does not print both."""
    if step.tok_s is None or step.time_ms is None or step.step < 1 or not step.tok_s:
        return None
    expected = step.step * batch_tokens / step.tok_s * 1000.0
    return abs(expected - step.time_ms) <= _TOK_SLACK_MS + _TOK_REL * expected


def _step_average(log: LogFile) -> Iterator[Inconsistency]:
    if log.family != "A":
        return
    checked = [(step, held) for step in log.steps if (held := step_average_holds(step)) is not None]
    wrong = [step for step, held in checked if not held]
    if wrong:
        first = wrong[0]
        yield Inconsistency(
            "step average",
            f"{len(wrong)} of {len(checked)} lines print a step average that is not train_time / step "
            f"(step {first.step}: {(first.time_ms or 0.0) / first.step:.2f} ms, printed {first.step_avg_ms:g} ms)",
            log.file,
            first.line,
            first.raw,
            len(wrong) < 0.9 * len(checked) and len(wrong) > 0.05 * len(checked),
        )


def _throughput(log: LogFile) -> Iterator[Inconsistency]:
    if any("schedule" in key and "batch" in key for key in log.hyperparameters):
        return
    sizes = [item for item in log.facts if item.fact == "train_batch_tokens"]
    known = [(step, tokens) for step in log.steps if (tokens := _batch_tokens(sizes, step)) is not None]
    checked = [(step, held) for step, tokens in known if (held := throughput_holds(step, tokens)) is not None]
    wrong = [step for step, held in checked if not held]
    if wrong:
        first = wrong[0]
        yield Inconsistency(
            "throughput",
            f"{len(wrong)} of {len(checked)} lines print a tok/s that does not give the printed time",
            log.file,
            first.line,
            first.raw,
            len(wrong) < 0.9 * len(checked),
        )


def _batch_tokens(sizes: Sequence[Observed], step: StepLine) -> float | None:
    """Return the batch size printed last above a step: a file may hold trials with other sizes before its run."""
    above = [item for item in sizes if item.line < step.line]
    if above:
        return float(above[-1].value)
    return float(sizes[0].value) if len({item.value for item in sizes}) == 1 else None


def _backwards(log: LogFile) -> Iterator[Inconsistency]:
    previous: StepLine | None = None
    for step in log.steps:
        if step.time_ms is None or step.train_loss is None:
            continue
        if previous is not None and previous.run == step.run and step.step > previous.step:
            gap = (previous.time_ms or 0.0) - step.time_ms
            if gap > 2 * (previous.time_precision_ms + step.time_precision_ms) + 1:
                yield Inconsistency(
                    "time",
                    f"train_time runs backwards from step {previous.step} to step {step.step} by {gap / 1000:.1f} s",
                    log.file,
                    step.line,
                    step.raw,
                    True,
                )
                return
        previous = step


def _total(log: LogFile) -> Iterator[Inconsistency]:
    total, model, code = logged_total_line(log), compressed_model(log), logged_code(log)
    if total is None or model is None or code is None or not total.unit or total.unit == "artifact":
        return
    models = {int(item.value) for item in compressed_models(log)}
    off = int(total.value) - model - code
    if off and not any(int(total.value) == other + code for other in models):
        yield Inconsistency(
            "total",
            f"the logged total {int(total.value):,} is not model {model:,} + code {code:,} ({off:+,} bytes)",
            log.file,
            total.line,
            total.raw,
            False,
        )


def _exact_twins(log: LogFile) -> Iterator[Inconsistency]:
    """Compare X with X_exact where the run prints each once; a name used for two evaluations says nothing."""
    own = last_runs(log)
    once = {m.name: m for m in own if m.bpb is not None and sum(1 for other in own if other.name == m.name) == 1}
    for name, metric in once.items():
        exact = once.get(f"{name}_exact")
        if exact is not None and abs((exact.bpb or 0.0) - (metric.bpb or 0.0)) > _TWIN_BPB:
            yield Inconsistency(
                "exact twin",
                f"{name} is {metric.bpb:.8g} (line {metric.line}) and {exact.name} is {exact.bpb:.8g}",
                log.file,
                exact.line,
                exact.raw,
                False,
            )


def _val_tokens(logs: Sequence[LogFile], headline: Headline) -> Iterator[Inconsistency]:
    """Compare how many validation tokens the runs behind one claim print."""
    behind = {metric.file for metric in headline.matches}
    printed = [(log, items[0]) for log in logs if (items := in_run(log, "val_tokens", metric_run(log)))]
    known = [(log, item) for log, item in printed if log.file in behind]
    if len(known) < 2:
        return
    (few, fewer), (many, more) = (pick(known, key=lambda row: int(row[1].value)) for pick in (min, max))
    if int(more.value) > int(fewer.value) * (1.0 + _TOKENS_REL):
        yield Inconsistency(
            "validation tokens",
            f"{few.file} prints {int(fewer.value):,} validation tokens, {many.file} {int(more.value):,}",
            few.file,
            fewer.line,
            fewer.raw,
            False,
        )


def _written_later(log: LogFile, headline: Headline) -> Iterator[Inconsistency]:
    """Find a claim that stands before the final model, a validation during training among them."""
    own = [metric for metric in headline.matches if metric.file == log.file]
    written = [item for item in compressed_models(log) if own and item.run == own[0].run]
    if not written or headline.guess or _trial_follows(log, own, written):
        return
    if max(metric.line for metric in own) < written[-1].line:
        yield Inconsistency(
            "order",
            f"every line with the claimed value stands before the last compressed model is written "
            f"(line {written[-1].line})",
            log.file,
            own[-1].line,
            own[-1].raw,
            False,
        )


def _trial_follows(log: LogFile, own: Sequence[Metric], written: Sequence[Observed]) -> bool:
    """Say whether the claim follows a model of its own and a later trial in the same file prints its name again."""
    names, first, last = {metric.name for metric in own}, min(metric.line for metric in own), written[-1].line
    again = any(metric.name in names and metric.line > last for metric in log.metrics)
    return again and written[0].line < first


def ratio(metric: Metric) -> tuple[float, float] | None:
    """Return bpb / val_loss with its relative rounding error, None where the line does not print both precisely."""
    if not metric.bpb or not metric.val_loss or metric.bpb < 0:
        return None
    error = _rounding(metric.bpb) / metric.bpb + _rounding(metric.val_loss) / metric.val_loss
    return metric.bpb / metric.val_loss, error


def _rounding(value: float) -> float:
    return float(0.5 * 10 ** -max(len(repr(value).partition(".")[2]), 4))


def _ratio(logs: Sequence[LogFile], headline: Headline) -> Iterator[Inconsistency]:
    if headline.metric is None or family_of(headline.metric.name) in ("ngram", "slot", "diagnostic"):
        return
    name = headline.metric.name
    found = [
        (metric, *both)
        for log in logs
        for metric in last_runs(log)[-40:]
        if metric.name == name and (both := ratio(metric))
    ]
    found = [row for row in found if row[2] < 1e-6]
    if len(found) < 2:
        return
    low, high = min(found, key=lambda row: row[1]), max(found, key=lambda row: row[1])
    spread = (high[1] - low[1]) / low[1]
    if spread < _RATIO_OTHER and spread > max(_RATIO_FLOOR, 2.0 * (low[2] + high[2])):
        yield Inconsistency(
            "bpb ratio",
            f"{name}: val_bpb / val_loss is {low[1]:.7f} in {low[0].file} and {high[1]:.7f} in {high[0].file} "
            f"(relative spread {spread:.1e}); it is a constant of tokenizer, validation set and windows",
            high[0].file,
            high[0].line,
            high[0].raw,
            spread > _RATIO_NOTE,
        )


def _seed(log: LogFile) -> int | None:
    """Return the seed that a log prints, else the one that its name claims."""
    seed = observed_seed(log)
    return log.seed_in_name if seed is None else seed


def _two_seeds(first: int | None, second: int | None) -> bool:
    """Say whether two runs are of different seeds; an unknown one is not another one."""
    return first is not None and second is not None and first != second


def _equal_values(logs: Sequence[LogFile], headline: Headline) -> Iterator[Inconsistency]:
    seeds = {log.file: _seed(log) for log in logs}
    by_bpb: dict[float, Metric] = {}
    for metric in headline.matches:
        if metric.bpb is None or len(repr(metric.bpb).partition(".")[2]) < 7:
            continue
        first = by_bpb.setdefault(metric.bpb, metric)
        if _two_seeds(seeds.get(first.file), seeds.get(metric.file)):
            yield Inconsistency(
                "equal value",
                f"{metric.bpb:.8f} is printed for two seeds, in {first.file} and {metric.file}",
                metric.file,
                metric.line,
                metric.raw,
                True,
            )
            break
    sizes: dict[int, LogFile] = {}
    for log in logs:
        models = compressed_models(log)
        if not models:
            continue
        other = sizes.setdefault(int(models[-1].value), log)
        if _two_seeds(seeds[other.file], seeds[log.file]):
            yield Inconsistency(
                "equal size",
                f"{other.file} and {log.file} print the same compressed model size to the byte for two seeds",
                log.file,
                models[-1].line,
                models[-1].raw,
                True,
            )
            break
    yield from _equal_stops(logs)


def _equal_stops(logs: Sequence[LogFile]) -> Iterator[Inconsistency]:
    stops = [(log, time) for log in logs if (time := train_time(log)) and time.source == "stop line"]
    if len(stops) >= 3 and len({time.ms for _, time in stops}) == 1:
        log, time = stops[0]
        yield Inconsistency(
            "equal stop", f"all {len(stops)} runs stop at the same millisecond", log.file, time.line, time.raw, False
        )


def _equal_losses(logs: Sequence[LogFile]) -> Iterator[Inconsistency]:
    seen: dict[tuple[float, ...], LogFile] = {}
    for log in logs:
        end = training_end(log)
        losses = tuple(s.train_loss for s in log.steps if s.train_loss is not None and s.line <= end)
        if len(losses) < _SAME_LOSSES:
            continue
        other = seen.setdefault(losses, log)
        if _two_seeds(_seed(other), _seed(log)):
            first = next(s for s in log.steps if s.train_loss is not None)
            yield Inconsistency(
                "equal losses",
                f"{other.file} and {log.file} print the same {len(losses)} training losses under two seeds",
                log.file,
                first.line,
                first.raw,
                True,
            )
