"""Which miniature a script gets to its metric in: try one, and let its failure say what the next must have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from auditor.prover import contested
from auditor.prover.confine import JobFailed
from auditor.prover.examination import Examination
from auditor.prover.job import Shape, miniature
from auditor.prover.session import NeedsBuild, Session, Undecided

SMALL = Shape("small")
CURABLE = ("crash", "missing-file", "several-ranks")
"""Classes of failures that another shape, or fewer settings, may cure."""
UNSTAGED = ("no-metric", "missing-file")
"""What a script says that scores in one call what it trained in another."""
RUNGS = 6
"""Shapes tried at most: each costs a run, and the failures of real scripts asked for two at most."""


def wider(shape: Shape) -> Shape | None:
    """Return the next wider model: heads of 64 as scripts have them, then four of them, then the script's own."""
    widths: dict[int | None, Shape] = {
        64: replace(shape, width=128, name="two heads of 64"),
        128: replace(shape, width=256, name="four heads of 64"),
        256: replace(shape, width=None, name="own width"),
    }
    return widths.get(shape.width)


LADDER: tuple[tuple[str, Callable[[Shape], Shape | None]], ...] = (
    (
        r"torchrun|distributed|process group|\bRANK\b",
        lambda s: replace(s, name="as launched by torchrun", launched=True),
    ),
    (r"too short|too few tokens|not enough tokens", lambda s: replace(s, name="twice the text", scale=2)),
    (r"view.*as|uint16|int16|bfloat16|half|dtype", lambda s: replace(s, name="real half precision", real_halves=True)),
    (r"\b32\b", lambda s: replace(s, name="96 pieces", vocab=96) if s.vocab < 96 else None),
    (
        r"vocab|piece|byte|token id|tokenizer",
        lambda s: replace(s, name="320 pieces", vocab=320, byte_fallback=True),
    ),
    (r"rope|head|dim|shape|size|expand|divisible|multiply|must|param|index", wider),
)
"""(what the failure of a shape speaks of, the shape to try then); 32 is the small vocabulary."""


def climb(session: Session) -> tuple[Examination, Shape]:
    """Try the small shape, then what its failure asks for, then fewer deduced settings.

    The first failure gives the class of reason where none reaches the metric, and all different ones are told.
    """
    shape, failures, before, tried = SMALL, Failures(), "", 0
    doubtful = list(session.script.doubtful)
    while True:
        try:
            return contested.examine(
                session, miniature(shape, session.limits.targets, 1), doubtful=failures.first is not None
            ), shape
        except NeedsBuild as need:
            if not session.build(need.builds):
                raise
        except (Undecided, JobFailed) as reason:
            crashed = isinstance(reason, Undecided) and reason.reason_class in CURABLE
            following = next_shape(str(reason), shape) if crashed and str(reason) != before else None
            before = str(reason)
            failures.add(shape, reason)
            tried += 1
            session.progress(f"{shape.name}: {reason}")
            if isinstance(reason, Undecided) and reason.reason_class in UNSTAGED and in_stages(session):
                continue
            if session.left() < 20 or tried == RUNGS or (not crashed and reason is failures.first):
                raise failures.told() from None
            if crashed and (blamed := blamed_settings(session, str(reason))):
                leave_out(session, blamed)
                following = shape
            elif crashed and following is None and (named := named_settings(session, str(reason))):
                leave_out(session, named)
                following = shape
            elif following is None and doubtful:
                leave_out(session, doubtful.pop(0))
                following = SMALL
            if following is None:
                raise failures.told() from None
            shape = following


class Failures:
    """What came of the shapes tried so far."""

    def __init__(self) -> None:
        self.first: Undecided | JobFailed | None = None
        self.texts: dict[str, str] = {}
        """Message -> shape that it came of first."""

    def add(self, shape: Shape, reason: Undecided | JobFailed) -> None:
        self.first = self.first or reason
        self.texts.setdefault(str(reason), shape.name)

    def told(self) -> Undecided | JobFailed:
        """Return the first failure, with what came of other shapes in its message."""
        assert self.first is not None
        if len(self.texts) == 1 or not isinstance(self.first, Undecided):
            return self.first
        (first, _), *others = self.texts.items()
        more = "".join(f"; {shape}: {text[:200]}" for text, shape in others)
        return Undecided(self.first.reason_class, first + more)


def in_stages(session: Session) -> bool:
    """Go on with every call of the script in turn, where it is known to be called more than once."""
    script = session.script
    if not script.stages or script.calls == script.stages:
        return False
    session.script = replace(script, calls=script.stages)
    return True


def leave_out(session: Session, names: frozenset[str]) -> None:
    """Go on without the settings `names`."""
    script = session.script
    session.progress(f"without some settings of the run: {len(names)}")
    kept = {name: value for name, value in script.environment.items() if name not in names}
    session.left_out = (*session.left_out, *sorted(names & script.environment.keys()))
    session.script = replace(script, environment=kept)


def blamed_settings(session: Session, error: str) -> frozenset[str]:
    """Return the settings deduced from logs whose text the error quotes: most likely it was torn from a print.

    Folders of the author's machine that the error names are left out wherever they were found.
    """
    values = session.script.environment
    deduced = frozenset().union(*session.script.doubtful) & values.keys()
    quoted = {name for name in deduced if not values[name].isdigit() and repr(values[name]) in error}
    return frozenset(quoted | {name for name, value in values.items() if value[:1] == "/" and value in error})


def named_settings(session: Session, error: str) -> frozenset[str]:
    """Return the settings of the run that the error names: what they ask for, this machine does not have."""
    words = {*re.findall(r"[A-Z][A-Z0-9_]{3,}", error)}
    return frozenset(words & session.script.environment.keys())


def next_shape(error: str, tried: Shape) -> Shape | None:
    """Return the shape that the kind of failure asks for, None where no other shape would help.

    What an earlier failure asked for stays: a script may need several things.
    """
    error = error.split(" at line ")[0]
    for pattern, step in LADDER:
        shape = step(tried) if re.search(pattern, error, re.IGNORECASE) else None
        if shape is not None and replace(shape, name=tried.name) != tried:
            return shape if tried == SMALL else replace(shape, name=f"{tried.name}, {shape.name}")
    return None
