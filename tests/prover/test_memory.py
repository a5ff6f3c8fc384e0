"""Changing tokens in a running process: in every array that holds the stream, and nowhere else."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from auditor.prover.child import memory

STREAM = np.random.default_rng(3).integers(4, 32, size=2000)


def test_a_copy_behind_a_header_is_changed() -> None:
    """A shard in memory holds the stream behind its header; one position changes, others do not."""
    shard = np.concatenate([np.zeros(512, dtype=np.uint16), STREAM.astype(np.uint16)])
    offset = memory.align(shard, STREAM)
    assert offset == 512
    memory.apply([(shard, offset)], STREAM, {1900: 1, 0: 2})
    assert np.flatnonzero(shard[512:] != STREAM).tolist() == [0, 1900]


def test_rows_of_a_batch_that_starts_anew_are_left_alone() -> None:
    """Overlapping windows laid out flat follow the stream in the first row only: later rows hold other positions."""
    rows = np.stack([STREAM[start : start + 64] for start in (1000, 1016, 1032, 1048)]).reshape(-1)
    before = rows.copy()
    offset = memory.align(rows, STREAM)
    assert offset == -1000
    memory.apply([(rows, offset)], STREAM, {1127: 1})
    assert (rows == before).all()
    memory.apply([(rows, offset)], STREAM, {1030: 1})
    assert np.flatnonzero(rows != before).tolist() == [30]


def test_views_of_one_stream_are_changed_together() -> None:
    """Inputs and targets share memory: the last token, which only the targets hold, changes too."""
    tokens = STREAM.copy()
    held = [(tokens[:-1], 0), (tokens[1:], -1)]
    memory.apply(held, STREAM, {p: 1 for p in range(1000, 2000)})
    assert (tokens[1000:] == 1).all()


def test_the_longest_of_the_views_that_start_alike_is_found() -> None:
    """A prompt cut off the text before does not stand for the text."""
    tokens = torch.from_numpy(STREAM.copy())
    prompt = tokens[:256]
    found = [view for view in memory.integer_arrays(set()) if view.__array_interface__["data"][0] == tokens.data_ptr()]
    assert [view.size for view in found] == [tokens.numel()] and prompt.numel() == 256


def test_objects_are_not_asked_for_anything() -> None:
    """One that raises whatever it is asked for, or loads a module then, is passed over; what others hold is found."""

    class Shy:
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError(name)

    class Holder:
        def __init__(self) -> None:
            self.tokens = STREAM.copy()

    shy, holder = [Shy()], Holder()
    found = {view.__array_interface__["data"][0] for view in memory.integer_arrays(set())}
    assert shy and holder.tokens.__array_interface__["data"][0] in found


def test_a_long_change_is_written_whole() -> None:
    """A suffix of changed tokens is held against the stream as it was, not as it becomes."""
    copy = STREAM.copy()
    memory.apply([(copy, 0)], STREAM, {p: 1 for p in range(1000, 2000)})
    assert (copy[1000:] == 1).all() and (copy[:1000] == STREAM[:1000]).all()
