"""Learning-rate and momentum schedules as pure functions of progress (spec 4.3). No clocks, no torch."""

from __future__ import annotations

from reference_impl.config import OptimConfig


def fraction_scale(fraction: float, warmdown: float, min_lr: float) -> float:
    """1 until 1-w of the run, then linearly down to `min_lr` at its end: max((1-f)/w, min_lr)."""
    return 1.0 if fraction < 1.0 - warmdown else max((1.0 - fraction) / warmdown, min_lr)


def warmdown_scale(step: int, iterations: int, warmdown: int, elapsed: float, budget: float) -> float:
    """The SP1024 rule: linear over the last `warmdown` steps, as many of them as the remaining seconds allow.

    `elapsed` and `budget` in seconds; budget 0 means no time limit.
    """
    if warmdown <= 0:
        return 1.0
    if budget <= 0:
        return min(1.0, max(iterations - step, 0) / warmdown)
    per_step = elapsed / max(step, 1)
    return min(1.0, max(budget - elapsed, 0.0) / max(warmdown * per_step, 1e-9))


def progress(step: int, iterations: int, elapsed: float, budget: float) -> float:
    """Fraction of the run that is over: the larger of time and steps."""
    by_time = elapsed / budget if budget > 0 else 0.0
    return min(1.0, max(by_time, step / iterations))


def lr_scale(config: OptimConfig, step: int, iterations: int, elapsed: float, budget: float) -> float:
    """The factor on every learning rate at this point of the run."""
    if config.schedule == "fraction":
        return fraction_scale(progress(step, iterations, elapsed, budget), config.warmdown_fraction, config.min_lr)
    return warmdown_scale(step, iterations, config.warmdown_steps, elapsed, budget)


def muon_momentum(config: OptimConfig, step: int) -> float:
    """Linear in the step from momentum_start to momentum."""
    part = min(step / config.momentum_steps, 1.0) if config.momentum_steps else 1.0
    return (1 - part) * config.momentum_start + part * config.momentum
