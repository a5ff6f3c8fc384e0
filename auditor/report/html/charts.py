"""Two pictures as inline SVG: what the artifact's bytes are, and how the loss fell. Attributes only, no styles."""

from __future__ import annotations

import math
from collections.abc import Sequence

from auditor.model.evidence import SeedRow
from auditor.model.logs import LogFile
from auditor.report.html.markup import Html, tag

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 240, 48, 26
_POINTS = 400
"""Points of one curve: more than the picture has columns for are thinned out."""
_SETTLED = 0.15
"""Share of the run whose fall from the logarithm of the vocabulary may leave the picture at the top: it would press
everything that differs between runs into one line."""


def ledger(seeds: Sequence[SeedRow], cap: float) -> Html | None:
    """Return one bar per run: model bytes, code bytes and the cap; None where no size is known."""
    rows = [row for row in seeds if row.model_bytes is not None]
    if not rows or cap <= 0:
        return None
    bar, gap = 18, 10
    scale = (_WIDTH - 250) / (max(cap, *(_total(row) for row in rows)) * 1.02)
    marks = [_bar(row, 6 + index * (bar + gap), bar, scale, cap) for index, row in enumerate(rows)]
    height = 6 + len(rows) * (bar + gap) + 14
    limit = 70 + cap * scale
    marks.append(tag("line", class_="cap", x1=f"{limit:.1f}", x2=f"{limit:.1f}", y1=0, y2=height - 14))
    marks.append(tag("text", f"cap {cap:,.0f}", class_="label", x=f"{limit:.1f}", y=height - 2, text_anchor="end"))
    return _svg(marks, height, "Bytes of the artifact per run, against the cap")


def _total(row: SeedRow) -> int:
    return (row.model_bytes or 0) + (_code(row) or 0)


def _code(row: SeedRow) -> int | None:
    if row.total_bytes is not None and row.model_bytes is not None:
        return row.total_bytes - row.model_bytes
    return row.code_bytes


def _bar(row: SeedRow, top: int, height: int, scale: float, cap: float) -> Html:
    model, code = row.model_bytes or 0, max(_code(row) or 0, 0)
    total = model + code
    name = row.file if row.seed is None else f"seed {row.seed}"
    over = total > cap
    shown = f"{total:,}" + (f" ({total - cap:,.0f} over)" if over else f" ({cap - total:,.0f} free)")
    return tag(
        "g",
        tag("text", name[:10], class_="label", x=64, y=top + 13, text_anchor="end"),
        tag("rect", class_="model", x=70, y=top, width=f"{model * scale:.1f}", height=height),
        tag("rect", class_="code", x=f"{70 + model * scale:.1f}", y=top, width=max(1.5, code * scale), height=height),
        tag("text", shown, class_="over" if over else "label", x=f"{76 + max(total, cap) * scale:.1f}", y=top + 13),
        tag("title", f"{row.file}: model {model:,} bytes, code {code:,} bytes"),
    )


def curves(logs: Sequence[LogFile]) -> Html | None:
    """Return training loss over steps, one line per log; None where no log prints it."""
    series = []
    for log in logs:
        points = [(step.step, step.train_loss) for step in log.steps if step.train_loss is not None]
        kept = [(x, y) for x, y in points if math.isfinite(y)]
        if log.main and len(kept) > 1:
            series.append((log.file, kept[:: max(1, len(kept) // _POINTS)]))
    if not series:
        return None
    everything = [point for _, points in series for point in points]
    last = max(x for x, _ in everything) or 1
    low = min(y for _, y in everything)
    high = max((y for x, y in everything if x >= _SETTLED * last), default=low)
    span = (high - low) or 1.0
    marks, lines = _axes(last, low, low + span), []
    for index, (name, points) in enumerate(series[:8]):
        placed = " ".join(f"{_x(x, last):.1f},{_y(y, low, span):.1f}" for x, y in points)
        lines.append(tag("polyline", class_=f"curve c{index}", points=placed, fill="none"))
        marks.append(
            tag("text", name[-40:], class_=f"label t{index}", x=_WIDTH - 8, y=16 + 14 * index, text_anchor="end")
        )
    return _svg([*marks, _clipped(lines)], _HEIGHT, "Training loss over steps")


def _clipped(lines: list[Html]) -> Html:
    """Return the lines in a frame of their own, whose border cuts off what lies outside the axes."""
    width, height = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - 6
    box = f"{_LEFT} 7 {width} {height}"
    return tag("svg", lines, x=_LEFT, y=7, width=width, height=height, viewBox=box)


def _x(step: float, last: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - 10) * step / last


def _y(loss: float, low: float, span: float) -> float:
    return 8 + (_HEIGHT - _BOTTOM - 8) * (1 - (loss - low) / span)


def _axes(last: float, low: float, high: float) -> list[Html]:
    marks = []
    for part in range(5):
        loss = low + (high - low) * part / 4
        y = _y(loss, low, high - low)
        marks.append(tag("line", class_="grid", x1=_LEFT, x2=_WIDTH - 10, y1=f"{y:.1f}", y2=f"{y:.1f}"))
        marks.append(tag("text", f"{loss:.2f}", class_="label", x=_LEFT - 6, y=f"{y + 4:.1f}", text_anchor="end"))
        x = _x(last * part / 4, last)
        anchor = "end" if part == 4 else "middle"
        marks.append(
            tag("text", f"{last * part / 4:,.0f}", class_="label", x=f"{x:.1f}", y=_HEIGHT - 8, text_anchor=anchor)
        )
    return marks


def _svg(marks: list[Html], height: int, name: str) -> Html:
    return tag("svg", tag("title", name), marks, viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=name)
