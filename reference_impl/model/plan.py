"""Which physical layer runs when: depth recurrence repeats layers without adding parameters (spec 3.7).

The executed list is cut in half; the first half pushes skip connections, the second half pops them. Pure Python.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_impl.config import ModelConfig


@dataclass(frozen=True)
class Plan:
    """Executed layers: `encoder` pushes its outputs, `decoder` pops them in reverse, `tail` does neither."""

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    tail: tuple[int, ...] = ()

    @property
    def executed(self) -> tuple[int, ...]:
        """All executed layers in order."""
        return self.encoder + self.decoder + self.tail


def layer_plan(config: ModelConfig, loops: int) -> Plan:
    """Repeat layers loop_start..loop_end `loops` extra times, then cut in half: floor(n/2) encode, the rest decode."""
    first, last = config.loop_start, config.loop_end
    middle = list(range(first, last + 1)) * (loops + 1) if loops else list(range(first, last + 1))
    order = [*range(first), *middle, *range(last + 1, config.layers)]
    half = len(order) // 2
    return Plan(tuple(order[:half]), tuple(order[half:]), config.tail_layers)


def skip_rows(config: ModelConfig) -> int:
    """Skip parameters to allocate: enough for the deepest plan; shallower phases use the first rows."""
    if config.skips == "none":
        return 0
    plan = layer_plan(config, config.loops)
    return min(len(plan.encoder), len(plan.decoder))


def loops_at(config: ModelConfig, fraction: float) -> int:
    """Extra passes in force at a training fraction in [0, 1]."""
    current = 0
    for start, loops in config.loop_phases:
        if fraction >= start:
            current = loops
    return current
