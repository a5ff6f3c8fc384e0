"""One pass over the lines of a log: steps, metrics, facts and settings, each with the run it belongs to.

The order of the tries matters: a training-time validation line must not become a final metric.
"""

from __future__ import annotations

import math

from auditor.intake.metric_lines import is_diagnostic, metrics_in
from auditor.intake.patterns import SITE_PACKAGES, SMI_BANNER, SMI_GPU, facts_in, step_fields
from auditor.intake.sections import rank_of
from auditor.intake.settings import Settings
from auditor.model.logs import LineKind, LogLine, Metric, Observed, StepLine

_RUN_STARTS = ("Running Python", "Hyperparameters:", "val_bpb:enabled")
_STEP_OF_A_RUN = 50
"""A step above this means that a run is under way; a header or step 0 after it begins another."""


def _finite(value: float | None) -> float | None:
    """NaN and infinity are printed by runs that failed; as a value they are unknown, the raw line keeps them."""
    return value if value is not None and math.isfinite(value) else None


class Collector:
    """State of the pass: the current run, and what was found so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.facts: list[Observed] = []
        self.metrics: list[Metric] = []
        self.steps: list[StepLine] = []
        self.settings = Settings()
        self.run = 0
        self.run_spans: list[tuple[int, int]] = []
        self._families: dict[str, int] = {}
        self._run_start = 1
        self._top_step = 0
        self._finals = False
        self._header = True

    @property
    def family(self) -> str:
        """A, B, C, D, E or other by the majority of step lines; "excerpt" for metrics with fewer than five steps."""
        if len(self.steps) < 5 and self.metrics:
            return "excerpt"
        return max(self._families, key=lambda name: self._families[name], default="other")

    def feed(self, line: LogLine) -> None:
        """Read one line."""
        if line.kind is LineKind.SMI:
            self._smi(line)
        if line.kind is not LineKind.LOG or not line.text:
            return
        text = line.text
        if line.raw[:1] in "[rd" and rank_of(line.raw) > 0:
            return
        if text.startswith(_RUN_STARTS) and (self._finals or self._top_step > _STEP_OF_A_RUN):
            self._next_run(line.number)
        if self._step(line):
            return
        lower = text.lower()
        if "bpb" in lower and self._metric(line):
            self._facts(line, lower)
            return
        self._facts(line, lower)
        self.settings.feed(text, line.number, header=self._header)

    def close(self, last: int) -> None:
        """End the last run."""
        self.run_spans.append((self._run_start, last))

    def _next_run(self, number: int) -> None:
        self.run_spans.append((self._run_start, number - 1))
        self.run += 1
        self._run_start, self._top_step, self._finals, self._header = number, 0, False, True

    def _step(self, line: LogLine) -> bool:
        fields = step_fields(line.text)
        if fields is None:
            return False
        if fields.step <= 1 and self._top_step > _STEP_OF_A_RUN:
            self._next_run(line.number)
        self._top_step = max(self._top_step, fields.step)
        self._header = self._header and fields.step == 0
        self._families[fields.family] = self._families.get(fields.family, 0) + 1
        self.steps.append(
            StepLine(
                fields.step,
                fields.iterations,
                line.number,
                line.raw,
                self.run,
                fields.train_loss,
                _finite(fields.val_loss),
                _finite(fields.val_bpb),
                fields.time_ms,
                fields.precision_ms,
                fields.step_avg_ms,
                fields.tok_s,
            )
        )
        return True

    def _metric(self, line: LogLine) -> bool:
        found = False
        for fields in metrics_in(line.text):
            found = True
            diagnostic = is_diagnostic(fields.name)
            self._finals = self._finals or not diagnostic
            self.metrics.append(
                Metric(
                    fields.name,
                    _finite(fields.bpb),
                    _finite(fields.val_loss),
                    fields.eval_ms,
                    diagnostic,
                    self.file,
                    line.number,
                    line.raw,
                    self.run,
                )
            )
        return found

    def _facts(self, line: LogLine, lower: str) -> None:
        for fact, value, unit in facts_in(line.text, lower):
            self.facts.append(Observed(fact, value, self.file, line.number, line.raw, self.run, unit))
        if "-packages/" in line.text and (match := SITE_PACKAGES.search(line.text)):
            self._fact("python_path", match[1], line)

    def _smi(self, line: LogLine) -> None:
        if match := SMI_BANNER.search(line.raw):
            self._fact("driver", match[2], line)
            self._fact("cuda", match[3], line)
        if match := SMI_GPU.match(line.raw):
            self._fact("gpu", match[1], line)

    def _fact(self, fact: str, value: str, line: LogLine) -> None:
        self.facts.append(Observed(fact, value, self.file, line.number, line.raw, self.run))
