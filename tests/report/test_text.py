"""The report for a terminal."""

from __future__ import annotations

from auditor.report.text import render
from tests.report.sample import report, submission


def test_the_terminal_gets_no_bytes_of_a_submission_that_could_drive_it() -> None:
    """Escape sequences, controls and bidi marks appear as written escapes; Rich markup stays text."""
    text = render(report())
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e", "\u2066", "\u200b", "\ud800"}
    assert "[bold red]x[/]" in "".join(line.strip() for line in text.split("\n"))


def test_colours_are_only_ours() -> None:
    """With colours on, the escape character is always followed by a colour of ours, never by the submission's text."""
    text = render(report(), color=True)
    assert "\x1b[1;31m" in text
    assert "\x1b]" not in text


def test_the_evidence_path_is_numbered_and_quoted() -> None:
    """Each step shows its place and its line of the decoded source."""
    text = render(report(), width=200)
    assert " 1  BACKWARD" in text and " 2  SCORE" in text
    assert "train_gpt.py:43 (decoded, layer 1) in adapt" in text
    assert "43 |     loss.backward()" in text


def test_verdict_recommendation_and_runs_are_there() -> None:
    """The parts that a reviewer copies are in the text."""
    text = render(report(), width=200)
    for part in (
        "COMPLIANCE_FLAG",
        "illegal (prequant-val-ttt; present but not active: slot-scored-region)",
        "588.1",
        "15,990,782",
        "TTT_ENABLED=",
        "issue 677, 2026-03-27 (settled)",
        "stale waiver",
    ):
        assert part in text


def test_runs_fit_the_width_and_name_what_they_ran_on() -> None:
    """File names of runs stay whole at 120 columns, and nothing of python, torch and GPU is cut off."""
    from dataclasses import replace

    from auditor.model.evidence import SeedRow

    row = SeedRow(
        "train_seed1337.log",
        1337,
        steps=14496,
        train_s=600.02,
        eval_s=96.3,
        bpb=1.120721,
        code_bytes=93037,
        model_bytes=13_147_330,
        total_bytes=13_240_367,
        python="3.12.3",
        torch="2.9.1+cu128",
        world_size=8,
    )
    other = replace(row, file="train_seed42.log", seed=42, gpu="NVIDIA H100 80GB HBM3")
    one = submission()
    text = render(report(replace(one, evidence=replace(one.evidence, seeds=(row, replace(row, file="b.log"))))))
    assert "    train_seed1337.log  1337  14,496    600.0" in text
    assert "    python 3.12.3, torch 2.9.1+cu128, GPU 8x ?\n" in text
    text = render(report(replace(one, evidence=replace(one.evidence, seeds=(row, other)))))
    assert "GPU 8x ? (train_seed1337.log)" in text and "GPU 8x NVIDIA H100 80GB HBM3 (train_seed42.log)" in text


def test_nothing_found_is_said() -> None:
    """An empty report is not an empty page."""
    from dataclasses import replace

    assert "no submission found" in render(replace(report(), submissions=()))


def test_several_submissions_are_counted() -> None:
    """The last line adds up the verdicts."""
    assert "2 submissions: 2 COMPLIANCE_FLAG" in render(report(submission(), submission()))
