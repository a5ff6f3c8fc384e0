"""The compact evidence table: one row per run, cells ready for display. Used by text, HTML and `pgolf logs`."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.evidence import SeedRow

HEADER = (
    "log",
    "seed",
    "steps",
    "train s",
    "calib. s",
    "eval s",
    "val_bpb",
    "code",
    "model",
    "total",
    "python",
    "torch",
    "GPU",
)
"""Column names; the first and the last three are text, the others numbers."""
UNKNOWN = "?"


def evidence_cells(rows: Iterable[SeedRow]) -> list[tuple[str, ...]]:
    """Return the cells of every run, in the order of `HEADER`; unknown is a question mark, never zero."""
    return [_cells(row) for row in rows]


def _cells(row: SeedRow) -> tuple[str, ...]:
    gpus = "" if row.world_size is None else f"{row.world_size}x "
    return (
        row.file,
        _seed(row),
        _count(row.steps),
        _seconds(row.train_s, row.train_precision_s),
        _seconds(row.gptq_s),
        _seconds(row.eval_s),
        UNKNOWN if row.bpb is None else f"{row.bpb:.6g}" if row.bpb < 0.1 else f"{row.bpb:.5f}",
        _count(row.code_bytes),
        _count(row.model_bytes),
        _count(row.total_bytes if row.total_bytes is not None else row.logged_total_bytes),
        row.python or UNKNOWN,
        row.torch or UNKNOWN,
        gpus + (row.gpu or UNKNOWN),
    )


def _seed(row: SeedRow) -> str:
    """A seed that only the file name states stands in parentheses."""
    if row.seed is not None:
        return str(row.seed)
    return UNKNOWN if row.seed_in_name is None else f"({row.seed_in_name})"


def _seconds(value: float | None, precision: float = 0.0) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if precision < 0.5 else f"{value:.0f} ± {precision:.0f}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"
