"""Loss curves of logs as a picture; needs the extra `plot` (matplotlib), imported only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditor.errors import PgolfError
from auditor.report.visible import visible
from auditor.usecases.readlogs import LogReport

_LEGEND_CHARS = 60


def draw(reports: Sequence[LogReport], output: Path) -> None:
    """Write training and validation loss against steps to `output`. Raises PgolfError without matplotlib or data."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PgolfError("--plot needs matplotlib: pip install 'pgolf[plot]'") from error
    figure = Figure(figsize=(9, 5), dpi=120)
    axes = figure.add_subplot()
    drawn = 0
    for report in reports:
        drawn += _curves(axes, report)
    if not drawn:
        raise PgolfError("none of the logs holds training lines, so there is nothing to draw")
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    try:
        figure.savefig(output)
    except (OSError, ValueError) as error:
        raise PgolfError(f"cannot write {output}: {error}") from error


def _curves(axes: object, report: LogReport) -> int:
    """Add a log's curves, the last run only; return how many."""
    last = max((step.run for step in report.log.steps), default=0)
    steps = [step for step in report.log.steps if step.run == last]
    name = visible(report.log.file)[:_LEGEND_CHARS].replace("$", r"\$")
    curves = (
        ("train", "-", [(s.step, s.train_loss) for s in steps if s.train_loss is not None and s.step > 0]),
        ("val", "o--", [(s.step, s.val_loss) for s in steps if s.val_loss is not None and s.step > 0]),
    )
    count = 0
    for label, style, points in curves:
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, style, linewidth=1, markersize=3, label=f"{name} {label}")  # type: ignore[attr-defined]
            count += 1
    return count
