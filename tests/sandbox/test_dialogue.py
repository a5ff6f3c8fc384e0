"""Talking with a sandboxed program while it runs: its input, its reports, and giving it up."""

from __future__ import annotations

import os

from auditor.limits import SandboxLimits
from auditor.sandbox.request import Dialogue, SandboxRequest
from auditor.sandbox.run import run

LIMITS = SandboxLimits(wall_seconds=30.0, cpu_seconds=8, output_bytes=1000)
ECHO = b"""
import os
report = int(os.environ["SANDBOX_REPORT_FD"])
while part := os.read(0, 100):
    os.write(report, part.upper())
"""


def test_a_program_answers_while_it_runs(level) -> None:
    """What the parent writes arrives on the input, each report reaches the parent before the input ends."""
    reader, writer = os.pipe()
    told = []

    def received(chunk: bytes) -> None:
        told.append(chunk)
        if len(told) == 1:
            os.write(writer, b"second")
        else:
            os.close(writer)

    os.write(writer, b"first")
    result = run(SandboxRequest(ECHO, limits=LIMITS, dialogue=Dialogue(reader, received, lambda: False)), level)
    os.close(reader)
    assert told == [b"FIRST", b"SECOND"]
    assert result.succeeded and result.report == b""


def test_reports_are_capped_in_a_dialogue_too(level) -> None:
    """A program that reports more than its cap is ended."""
    reader, writer = os.pipe()
    flood = b"import os\nwhile True:\n    os.write(int(os.environ['SANDBOX_REPORT_FD']), bytes(4096))\n"
    taken: list[bytes] = []
    result = run(SandboxRequest(flood, limits=LIMITS, dialogue=Dialogue(reader, taken.append, lambda: False)), level)
    os.close(reader)
    os.close(writer)
    assert result.stopped == "output" and taken


def test_an_abandoned_program_is_ended(level) -> None:
    """A program whose parent lost interest does not run on to its limits."""
    reader, writer = os.pipe()
    started: list[bytes] = []
    loop = b"import os\nos.write(int(os.environ['SANDBOX_REPORT_FD']), b'go')\nwhile True:\n    pass\n"
    dialogue = Dialogue(reader, started.append, lambda: bool(started))
    result = run(SandboxRequest(loop, limits=LIMITS, dialogue=dialogue), level)
    os.close(reader)
    os.close(writer)
    assert result.stopped == "abandoned"
