"""Which settings reach the miniature, where what a script writes lands, and which shape a failure asks for."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy")

from auditor.interp.analysis import Setting
from auditor.prover.prepare import doubtful_of, readable, unprinted
from auditor.prover.prove import HEADS, SMALL, next_shape
from auditor.prover.table import table_of_width


@pytest.mark.parametrize("value", ["$DATA", "{seq_len}", "[0", "schedule=[", "None", "set()", "enabled=False"])
def test_torn_prints_are_no_settings(value: str) -> None:
    """What a log shows of a template, half a list or an absent value is left at the code's default."""
    assert not readable(value)


@pytest.mark.parametrize(
    ("shown", "given"),
    [("[0, 3, 6]", "0,3,6"), ("(1,)", "1"), ("0.35", "0.35"), ("a,b", "a,b"), ("./data/", "./data/")],
)
def test_a_printed_list_is_given_as_scripts_read_one(shown: str, given: str) -> None:
    """Python's notation becomes items between commas; everything else stays."""
    assert readable(shown) and unprinted(shown) == given


def test_deduced_settings_are_doubted_before_printed_ones_and_commands_never() -> None:
    """First the settings solved from guards are left out, then those that logs print; run commands stay."""
    found = doubtful_of(
        {
            "A": Setting("1", "guard solved from train.log:9"),
            "B": Setting("2", "train.log:3"),
            "C": Setting("3", "README.md:48"),
        }
    )
    assert found == (frozenset("A"), frozenset("AB"))
    assert doubtful_of({"C": Setting("3", "README.md:48")}) == ()


def test_a_failure_asks_for_a_shape_that_could_cure_it() -> None:
    """Mismatched heads ask for wider heads, then for the model's own width; a launcher's absence for a launcher."""
    assert next_shape("The size of tensor a (8) must match", SMALL) is HEADS
    own = next_shape("Expected ~26.8M params", HEADS)
    assert own is not None and own.width is None
    launched = next_shape("This script requires torchrun", SMALL)
    assert launched is not None and launched.launched
    assert next_shape("KeyError: 'x' at line 7 in Hyperparameters", SMALL) is None


def test_wider_models_keep_what_counts_a_heads_dimensions() -> None:
    """Only the small shape lowers rotary dimensions; the model's own width lowers no width at all."""
    small, wide, own = (dict(table_of_width(width)) for width in (64, 256, None))
    rotary = next(pattern for pattern in small if "ROTARY" in pattern)
    first = next(iter(small))
    assert rotary not in wide and wide[first] == 256 and small[first] == 64 and first not in own
