"""A box serves several jobs of one proof: nothing passes from one to the next, and nothing of it stays behind."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

from auditor.limits import ProverLimits
from auditor.prover.job import Miniature, Script, Shape, Variant, miniature
from auditor.prover.session import Session
from auditor.sandbox.probe import probe
from auditor.sandbox.request import SandboxLevel

pytestmark = pytest.mark.skipif(probe().best < SandboxLevel.BWRAP, reason="needs bubblewrap")

MARKS = """
import io, os
places = ["mark", "/tmp/box/mark", "/tmp/mark", "/dev/shm/mark"]
print("seen: %.1f" % sum(os.access(place, os.F_OK) for place in places))
for place in places:
    io.FileIO(place, "w").write(b"x")
"""
BUSY = (
    MARKS
    + """
if os.fork() == 0:
    while True:
        io.FileIO("/dev/shm/mark", "w").write(b"x")
"""
)
LOOP = "while True:\n    pass\n"


def session(source: str, progress: object = None) -> Session:
    """Return a session whose runs may take six seconds."""
    limits = replace(ProverLimits(), run_seconds=6.0)
    told = progress if callable(progress) else lambda text: None
    return Session(Script("train_gpt.py", source), limits, frozenset(), None, told, time.monotonic() + 120)


@pytest.fixture(scope="module")
def mini() -> Miniature:
    return miniature(Shape("small"), 256, 1)


def test_a_box_is_kept_and_its_scratch_is_cleared_between_jobs(mini: Miniature) -> None:
    """The second job runs in the same process tree and finds nothing that the first one wrote."""
    with session(MARKS) as going:
        boxes = []
        for _ in range(2):
            (log,) = going.run("x", mini, (Variant("v"),)).values()
            assert [line.numbers[-1][1] for line in log.lines] == [0.0]
            boxes.append(going.boxes[0])
        assert boxes[0] is boxes[1] is not None
    assert going.boxes[0] is None and not boxes[0].usable
    assert going.cpu_seconds > 0


@pytest.mark.parametrize("source", [MARKS, BUSY])
def test_no_run_finds_what_an_earlier_one_left(mini: Miniature, source: str) -> None:
    """Files are gone and processes ended before the next run of the same job, wherever and whatever they were."""
    with session(source) as going:
        logs = going.run("x", mini, (Variant("u"), Variant("v"), Variant("w")))
    assert [line.numbers[-1][1] for log in logs.values() for line in log.lines] == [0.0] * 3


def test_models_in_their_own_width_run_one_after_another(mini: Miniature) -> None:
    """In one box, and what others hold is freed: each such run may take gigabytes."""
    wide = replace(mini, shape=replace(mini.shape, width=None))
    with session(MARKS) as going:
        going.boxes = [None, None]
        variants = (Variant("u"), Variant("v"))
        assert {*going.run("x", mini, variants)} == {"u/main", "v/main"} and None not in going.boxes
        assert {*going.run("x", wide, variants)} == {"u/main", "v/main"} and going.boxes[1] is None


def test_a_run_that_never_ends_leaves_the_box_usable(mini: Miniature) -> None:
    """The run is ended by its own limit; the box takes the next job."""
    with session(LOOP) as going:
        assert going.run("x", mini, (Variant("v"),)) == {}
        assert going.boxes[0] is not None and going.boxes[0].usable


def test_an_interrupted_proof_leaves_nothing_behind(mini: Miniature) -> None:
    """Leaving the session by an exception ends its boxes."""

    def interrupt(text: str) -> None:
        if text.startswith("second"):
            raise KeyboardInterrupt

    going = session(MARKS, interrupt)
    with pytest.raises(KeyboardInterrupt), going:
        going.run("first", mini, (Variant("v"),))
        box = going.boxes[0]
        going.run("second", mini, (Variant("v"),))
    assert box is not None and not box.usable
    assert going.boxes == [None] * len(going.boxes)
