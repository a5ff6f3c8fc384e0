"""Which logged metric carries the claimed number.

Deciding one result first and comparing it then is wrong for every seventh submission, so the claim is matched against
every metric name of the logs, in the order in which claims are really met, and the rule that matched is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from auditor.intake.metric_lines import FAMILY_ORDER, family_of
from auditor.measure.select import last_runs, main_logs, observed_seed
from auditor.model.evidence import Claim, Headline
from auditor.model.logs import LogFile, Metric

_TOLERANCE = 1.01e-4
"""Claims are rounded to four decimals as often as not; seeds differ by more than this."""
_NEAR = 1e-3
_MAX_SUBSETS = 8
"""Logs up to which means of subsets are tried."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    level: int
    name: str
    metrics: tuple[Metric, ...]
    value: float
    how: str


_BY_SEED = 2
"""Levels up to here are the claimed configuration's mean; among them the closest one decides."""
_BEST_SEED = 3
_LEVELS = (
    "mean",
    "single",
    "mean by seed",
    "best seed",
    "other seed",
    "any value",
    "training line",
    "mean of some logs",
    "near",
)


def resolve_headline(claim: Claim, logs: Sequence[LogFile]) -> Headline:
    """Match the claim against the logs; without a claim, guess the last non-diagnostic metric and say so."""
    if not any(log.metrics or log.steps for log in logs):
        return Headline(None, "no log holds a metric", level="no logs")
    if claim.bpb is None:
        return _guess(logs)
    tolerance = max(_TOLERANCE, half_unit(claim.bpb))
    found = list(_candidates(claim.bpb, tolerance, logs))
    if not found:
        return _not_found(claim.bpb, logs)
    best = min(found, key=lambda candidate: _rank(candidate, claim.bpb or 0.0))
    same = [c for c in found if c.level == best.level and c.name != best.name]
    carried = _with_twins(best, logs)
    level = "one run" if best.level == _BEST_SEED and not _several_seeds(logs) else _LEVELS[best.level]
    return Headline(
        best.metrics[0],
        f"{level}: {best.how}",
        carried,
        level,
        tuple(sorted({c.name for c in same if c.name not in {m.name for m in carried}})),
    )


def half_unit(value: float) -> float:
    """Return half a unit of a number's last printed digit."""
    decimals = len(repr(value).partition(".")[2]) if "e" not in repr(value) else 8
    return float(0.5 * 10**-decimals) * 1.0001


def last_metric(log: LogFile) -> Metric | None:
    """Return the best guess at a log's result: its last non-diagnostic metric, printed with the most decimals."""
    metrics = [metric for metric in last_runs(log) if not metric.diagnostic and metric.bpb is not None]
    if not metrics:
        return None
    last = metrics[-1]
    return next((m for m in reversed(metrics) if m.name == f"{last.name}_exact"), last)


def _candidates(claim: float, tolerance: float, logs: Sequence[LogFile]) -> Iterator[_Candidate]:
    main = main_logs(logs)
    by_name = _by_name(main)
    for name, metrics in by_name.items():
        yield from _by_mean(claim, tolerance, name, metrics, main)
        yield from _by_single(claim, tolerance, name, metrics, len(main))
    results = tuple(metric for log in main if (metric := last_metric(log)) is not None)
    if len(results) == len(main) > 1:
        mean = sum(metric.bpb or 0.0 for metric in results) / len(results)
        if _meets(mean, claim, tolerance):
            how = f"the last results of {len(results)} logs, under different names, average {mean:.6f}"
            yield _Candidate(_BY_SEED, results[0].name, results, mean, how)
    for log in logs:
        for metric in log.metrics:
            if _meets(metric.bpb, claim, tolerance):
                yield _Candidate(5, metric.name, (metric,), metric.bpb or 0.0, f"{metric.name} in {metric.file}")
        for step in log.steps:
            if _meets(step.val_bpb, claim, tolerance):
                carried = Metric(
                    f"step {step.step}",
                    step.val_bpb,
                    step.val_loss,
                    None,
                    True,
                    log.file,
                    step.line,
                    step.raw,
                    step.run,
                )
                yield _Candidate(6, carried.name, (carried,), step.val_bpb or 0.0, f"validation at {carried.name} only")


def _by_mean(
    claim: float, tolerance: float, name: str, metrics: tuple[Metric, ...], main: Sequence[LogFile]
) -> Iterator[_Candidate]:
    values = [metric.bpb or 0.0 for metric in metrics]
    mean = sum(values) / len(values)
    if _meets(mean, claim, tolerance):
        if len(values) > 1:
            yield _Candidate(0, name, metrics, mean, f"{name} averaged over {len(values)} logs is {mean:.6f}")
        elif len(main) == 1:
            yield _Candidate(1, name, metrics, mean, f"{name} of the only log")
    seeds = {observed_seed(log): log.file for log in reversed(main)}
    if len(seeds) < len(main):
        chosen = tuple(metric for metric in metrics if metric.file in seeds.values())
        if len(chosen) > 1:
            mean = sum(metric.bpb or 0.0 for metric in chosen) / len(chosen)
            if _meets(mean, claim, tolerance):
                yield _Candidate(2, name, chosen, mean, f"{name} averaged over one log per seed is {mean:.6f}")
    if 2 < len(values) <= _MAX_SUBSETS:
        for size in range(2, len(values)):
            for subset in combinations(metrics, size):
                mean = sum(metric.bpb or 0.0 for metric in subset) / size
                if _meets(mean, claim, min(tolerance, 2e-5)):
                    yield _Candidate(7, name, subset, mean, f"{name} averaged over {size} of {len(values)} logs")


def _by_single(
    claim: float, tolerance: float, name: str, metrics: tuple[Metric, ...], logs: int
) -> Iterator[_Candidate]:
    best = min((metric.bpb or 0.0 for metric in metrics), default=0.0)
    for metric in metrics:
        if logs > 1 and _meets(metric.bpb, claim, tolerance):
            level = _BEST_SEED if metric.bpb == best else 4
            yield _Candidate(level, name, (metric,), metric.bpb or 0.0, f"{name} of {metric.file} alone")


def _by_name(logs: Iterable[LogFile]) -> dict[str, tuple[Metric, ...]]:
    """Metric name -> its last value in every main log."""
    found: dict[str, list[Metric]] = {}
    for log in logs:
        for name, metric in {metric.name: metric for metric in last_runs(log) if metric.bpb is not None}.items():
            found.setdefault(name, []).append(metric)
    return {name: tuple(metrics) for name, metrics in found.items()}


def _several_seeds(logs: Sequence[LogFile]) -> bool:
    """Say whether results of more than one seed were there to choose from; a seed that nothing names is its own."""
    results = [log for log in main_logs(logs) if last_metric(log) is not None]
    named = [(observed_seed(log), log.seed_in_name, log.file) for log in results]
    return len({next(item for item in names if item is not None) for names in named}) > 1


def _rank(candidate: _Candidate, claim: float) -> tuple[object, ...]:
    family = family_of(candidate.name)
    metric = candidate.metrics[0]
    digits = len(repr(metric.bpb).partition(".")[2])
    diff = abs(candidate.value - claim)
    return (
        family == "diagnostic",
        max(candidate.level, _BY_SEED),
        diff > half_unit(claim) + 1e-6,
        candidate.level,
        FAMILY_ORDER.index(family),
        -digits,
        diff,
        candidate.name,
    )


def _with_twins(best: _Candidate, logs: Sequence[LogFile]) -> tuple[Metric, ...]:
    """Add the lines that print the same value under a twin name (`X` and `X_exact`, aliases)."""
    files = {metric.file: metric for metric in best.metrics}
    twins = [
        metric
        for log in logs
        if log.file in files
        for metric in log.metrics
        if metric.run == files[log.file].run
        and metric.bpb is not None
        and metric not in best.metrics
        and abs(metric.bpb - (files[log.file].bpb or 0.0)) <= 6e-5
    ]
    return (*best.metrics, *twins)


def _guess(logs: Sequence[LogFile]) -> Headline:
    for log in main_logs(logs):
        metric = last_metric(log)
        if metric:
            how = "no claim to match: the last metric of the log that does not call itself a diagnostic (a guess)"
            return Headline(metric, how, (metric,), "no claim", guess=True)
    return Headline(None, "no claim, and no log holds a final metric", level="no claim")


def _not_found(claim: float, logs: Sequence[LogFile]) -> Headline:
    values = [m for log in logs for m in log.metrics if m.bpb is not None]
    means = [
        (sum(m.bpb or 0.0 for m in metrics) / len(metrics), metrics[0])
        for metrics in _by_name(main_logs(logs)).values()
    ]
    pool = [(m.bpb or 0.0, m) for m in values] + means
    if not pool:
        return Headline(None, "no log holds a final metric", level="not found")
    value, nearest = min(pool, key=lambda item: abs(item[0] - claim))
    near = abs(value - claim) <= _NEAR
    how = f"{claim:g} is in no log; the nearest value is {value:.8g} ({nearest.name})"
    return Headline(None, how, level="near" if near else "not found", nearest=nearest if near else None)


def _meets(value: float | None, claim: float, tolerance: float) -> bool:
    return value is not None and abs(value - claim) <= tolerance
