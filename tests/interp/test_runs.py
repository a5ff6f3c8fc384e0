"""Long runs of indices are views of one line; everything else stays what it was."""

from __future__ import annotations

import operator

import numpy as np

from auditor.interp.index import as_slice
from auditor.interp.runs import LONG, bounds, moved, run
from tests.interp.scripts import variables


def test_a_run_holds_the_numbers_of_a_range_wherever_it_lies() -> None:
    """Short, long, negative, beyond the line: the same numbers as arange."""
    for start, stop in ((0, 5), (3, 3 + LONG), (-7, LONG), (0, 2**23), (-(2**18), LONG)):
        assert np.array_equal(run(start, stop), np.arange(start, stop))


def test_moving_a_run_by_a_number_copies_nothing() -> None:
    """A sum or difference is another view; a product, a step or a short array is left to numpy."""
    made = moved(operator.sub, [run(10, 10 + LONG), 4])
    assert made is not None
    assert bounds(made) == (6, 6 + LONG)
    assert moved(operator.mul, [run(0, LONG), 2]) is None
    assert moved(operator.add, [run(0, LONG), 0.5]) is None
    assert moved(operator.add, [run(0, 2 * LONG)[::2], 1]) is None
    assert moved(operator.add, [np.arange(LONG), 1]) is None


def test_only_a_whole_run_from_zero_on_is_spelled_as_a_slice() -> None:
    """Negative indices count from the end, so they stay an array."""
    assert as_slice((run(5, 5 + LONG),)) == (slice(5, 5 + LONG),)
    for index in ((run(-1, LONG),), (run(0, 2 * LONG)[::-1],), (run(0, LONG), 0)):
        assert as_slice(index) is index


def test_who_writes_to_a_run_does_not_write_to_the_line() -> None:
    """The line is shared by every run."""
    found = variables("import numpy as np\na = np.arange(100000)\na[3] = 7\na += 1\nb = np.arange(100000)\n")
    assert int(found["a"].val[3]) == 8
    assert int(found["b"].val[3]) == 3
