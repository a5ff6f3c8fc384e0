"""Which of several stated commands is taken for the claimed run."""

from __future__ import annotations

from auditor.intake.commands import RunCommand
from auditor.interp.config import choose_command
from tests.interp.scripts import program
from tests.measure.folders import evidence, folder, log_text

LAUNCH = RunCommand({"PARTS": "0", "RATE": "2"}, ("torchrun", "train_gpt.py"), "README.md", 9)
BLOCK = RunCommand({"PARTS": "500"}, (), "RESULTS.md", 3)


def taken(*commands: RunCommand) -> RunCommand | None:
    """Choose among commands beside a log that prints another RATE than the launch states."""
    shipped = folder({"train_gpt.py": "pass\n", "train.log": log_text(settings="RATE: 1")})
    return choose_command(commands, program("pass\n"), evidence(shipped, program("pass\n")))


def test_a_launch_says_more_than_a_block_of_settings() -> None:
    """The block contradicts the log in nothing because it says less."""
    assert taken(BLOCK, LAUNCH) is LAUNCH


def test_a_block_of_settings_alone_counts_where_nothing_is_launched() -> None:
    """Without a launch the block is what is stated."""
    assert taken(BLOCK) is BLOCK
