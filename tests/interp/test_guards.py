"""The declared environment: settings and guards that the logs determine."""

from __future__ import annotations

import pytest

from auditor.interp.config import environment_names, literal
from auditor.interp.guards import solve_guards
from auditor.interp.templates import LogText
from tests.interp.scripts import program

SOURCE = """
import os
class Config:
    cache = int(os.environ.get("USE_CACHE", "0"))
    order = int(os.environ.get("ORDER", "0"))
    epochs = int(os.environ.get("EPOCHS", "3"))
    lengths = os.environ.get("LENGTHS", "")
cfg = Config()
if cfg.cache:
    print("cache tables filled in a moment")
if cfg.order >= 2:
    print(f"counts of order {cfg.order} enabled for scoring")
else:
    print("scored without order")
if cfg.lengths:
    print("lengths by processor are in use")
if cfg.epochs > 0 and cfg.rank == 0:
    print("nothing that the log shows")
"""


def solved(*shown: str, environ: dict[str, str] | None = None, filler: int = 30) -> dict[str, str]:
    """Return the settings that logs with these lines determine."""
    parsed = program(SOURCE)
    lines = [f"step:{i} train_loss:3.0" for i in range(filler)] + list(shown)
    text = LogText("\n".join(lines), tuple(("train.log", i + 1, line) for i, line in enumerate(lines)))
    return {s.variable: s.value for s in solve_guards(parsed, environment_names(parsed), environ or {}, text)}


def test_a_line_that_only_a_guarded_block_prints_sets_its_flag() -> None:
    """The flag is off in code, its line is in the log: it was on in the run."""
    assert solved("cache tables filled in a moment") == {"USE_CACHE": "1"}


def test_a_threshold_is_met_by_the_plainest_value() -> None:
    """A comparison is solved by the first candidate that satisfies it."""
    assert solved("counts of order 5 enabled for scoring") == {"ORDER": "2"}


def test_a_flag_that_is_already_on_is_left_alone() -> None:
    """What the run command sets agrees with the log, so that nothing is to be solved."""
    assert solved("cache tables filled in a moment", environ={"USE_CACHE": "1"}) == {}


def test_logs_without_such_a_line_solve_nothing() -> None:
    """Defaults stay where no line contradicts them."""
    assert solved() == {}


def test_the_later_of_two_runs_in_a_log_counts() -> None:
    """Where one run took each branch, the setting is that of the later one."""
    assert solved("scored without order", "counts of order 5 enabled for scoring") == {"ORDER": "2"}
    assert solved("counts of order 5 enabled for scoring", "scored without order") == {}


def test_a_text_setting_is_not_solved_by_a_number() -> None:
    """A list or a path that is empty by default may hold anything."""
    assert solved("lengths by processor are in use") == {}


def test_an_excerpt_of_a_log_solves_nothing() -> None:
    """A few lines are not enough of a log."""
    assert solved("cache tables filled in a moment", filler=3) == {}


def test_settings_are_named_by_what_they_read() -> None:
    """Each setting is paired with the one environment name in its value."""
    names = {"cache": "USE_CACHE", "order": "ORDER", "epochs": "EPOCHS", "lengths": "LENGTHS"}
    assert environment_names(program(SOURCE)) == names


def test_printed_settings_are_read_as_literals() -> None:
    """Numbers, booleans and None are what they look like; anything else stays text."""
    assert [literal(t) for t in ("3", "0.5,", "true", "None", "a/b", "[1, 2]")] == [3, 0.5, True, None, "a/b", "[1, 2]"]


PAST = """
import os
class Config:
    adapt = int(os.environ.get("ADAPT", "1"))
    cache_default = "1" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else "0"
    cache = int(os.environ.get("CACHE", cache_default))
    slot = int(os.environ.get("SLOT", "0"))
    other = int(os.environ.get("OTHER", "0"))
    stride = int(os.environ.get("A_STRIDE", "64"))
    pattern = os.path.join("data", "fineweb_val_*.bin" if other else "fineweb_train_*.bin")
cfg = Config()
print("weights were read back from the file")
if cfg.adapt:
    print("adapt: starts on the reloaded weights")
    for turn in range(3):
        print(f"adapt: turn {turn} done")
if cfg.cache:
    print("cache: counts are kept while scoring")
use_slot = cfg.slot
print(f"score: begins stride=64{f' slot steps={cfg.slot}' if use_slot else ''}")
if cfg.stride > 0 and not int(os.environ.get("SKIP_WINDOWS", "0")):
    print("windows: every place is scored with its context")
print("score: is done for all windows")
"""
BEFORE, AFTER = "weights were read back from the file", "score: is done for all windows"


def solved_past(
    *shown: str, headline: str | None = "train.log", environ: dict[str, str] | None = None
) -> dict[str, str]:
    """Return what a log of the claimed number with these lines determines."""
    parsed = program(PAST)
    lines = [f"step:{i} train_loss:3.0" for i in range(30)] + list(shown)
    numbered = tuple(("train.log", i + 1, line) for i, line in enumerate(lines))
    text = LogText("\n".join(lines), numbered, headline)
    return {s.variable: s.value for s in solve_guards(parsed, environment_names(parsed), environ or {}, text)}


def test_a_block_that_the_claimed_run_went_past_without_its_lines_was_off() -> None:
    """What it prints in any case is missing between lines from before and after it."""
    assert solved_past(BEFORE, AFTER)["ADAPT"] == "0"


def test_a_block_whose_line_is_there_was_on() -> None:
    """One of its lines is enough."""
    assert "ADAPT" not in solved_past(BEFORE, "adapt: starts on the reloaded weights", AFTER)


@pytest.mark.parametrize("shown", [(BEFORE,), (AFTER,), (AFTER, BEFORE)])
def test_a_log_that_does_not_go_past_the_block_says_nothing(shown: tuple[str, ...]) -> None:
    """A log that ends before it, begins after it, or holds the lines of two runs."""
    assert "ADAPT" not in solved_past(*shown)


def test_a_missing_line_in_a_log_without_the_claimed_number_says_nothing() -> None:
    """Another run may have gone another way."""
    assert "ADAPT" not in solved_past(BEFORE, AFTER, headline=None)


def test_a_default_that_is_computed_is_solved_by_the_line_it_prints() -> None:
    """What the code sets by the number of processes is not known; the line says that it was on."""
    assert solved_past("cache: counts are kept while scoring")["CACHE"] == "1"


def test_a_text_that_is_only_printed_under_a_condition_shows_that_it_held() -> None:
    """The condition is a variable that is the setting under another name."""
    assert solved_past("score: begins stride=64 slot steps=8")["SLOT"] == "1"
    assert "SLOT" not in solved_past("score: begins stride=64")


def test_a_text_that_is_chosen_outside_a_print_says_nothing_of_its_condition() -> None:
    """The name of a file may be printed by whoever else reads it."""
    assert "OTHER" not in solved_past("val_loader: pattern=data/fineweb_val_*.bin tokens:62021632")


def test_a_switch_is_likelier_to_have_been_turned_than_a_size() -> None:
    """Two settings would explain the missing line; the one that the condition itself reads is a switch."""
    found = solved_past(BEFORE, "score: begins stride=64", AFTER)
    assert found["SKIP_WINDOWS"] == "1"
    assert "A_STRIDE" not in found


def test_a_switch_that_was_stated_explains_the_missing_line() -> None:
    """What the command says already is solved no second time."""
    found = solved_past(BEFORE, "score: begins stride=64", AFTER, environ={"SKIP_WINDOWS": "1"})
    assert "SKIP_WINDOWS" not in found
    assert "A_STRIDE" not in found
