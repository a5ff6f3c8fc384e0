"""Regions: exact sets of token positions."""

from __future__ import annotations

import numpy as np

from auditor.interp.region import EMPTY, Region


def test_a_region_is_the_set_of_its_positions() -> None:
    """Order, repetition and shape of the array play no part; runs become half-open spans."""
    region = Region.of(np.array([[7, 3, 4], [5, 3, 8]]))
    assert region.spans == ((3, 6), (7, 9))
    assert region.count == 5


def test_negative_positions_are_no_tokens() -> None:
    """-1 stands for "no token": it is dropped, and an array of nothing else is the empty region."""
    assert Region.of(np.array([-1, 0, 1, -1])).spans == ((0, 2),)
    assert Region.of(np.array([-1, -1])) == EMPTY
    assert Region.of(np.array([], dtype=np.int32)) == EMPTY
    assert not EMPTY


def test_intersection_keeps_what_both_hold() -> None:
    """Touching spans share nothing, since their ends are exclusive."""
    left, right = Region(((0, 10), (20, 30))), Region(((5, 20), (25, 40)))
    assert (left & right).spans == ((5, 10), (25, 30))
    assert not Region(((0, 5),)) & Region(((5, 9),))


def test_union_merges_overlapping_and_touching_spans() -> None:
    """The union of any number of regions is in the same sorted, disjoint form."""
    assert Region.union([Region(((5, 9),)), Region(((0, 5),)), Region(((20, 21),))]).spans == ((0, 9), (20, 21))
    assert Region.union([]) == EMPTY
