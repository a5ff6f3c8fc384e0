"""How much of the validation stream the pass behind the number runs over, where its loop shows that.

Only four iterations of a loop are followed. Where they score stretches at equal distances, or stretches that follow on
one another, and the loop runs over a known range to its end, the pass covers what lies between the first and the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from auditor.interp.analysis import Analysis
from auditor.interp.graph import Kind, Node
from auditor.interp.region import Region

LARGEST_REMAINDER = 1_048_576
"""Tokens that a pass over whole batches may leave out at the end: the largest chunk seen, a quarter of the stand-in."""
LARGEST_CONTEXT = 0.05
"""Share of the stream that a first window may leave unscored; the longest seen are under one in a hundred."""
GAP = 2
"""Tokens between stretches of two iterations that follow on one another: the first of a window has no context."""
SHARDS = (2, 4, 8)
"""Processes among which a pass is divided; here only the first of them is followed."""
SHARD_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Coverage:
    """The stretch of the stream that is scored, half-open, and the stream's length."""

    first: int
    stop: int
    whole: int
    score: Node
    """One of the scores of the loop that covers it."""

    @property
    def share(self) -> float:
        return (self.stop - self.first) / self.whole


def partial(analysis: Analysis) -> Coverage | None:
    """Return what the pass covers where that is certainly not the whole stream, else None."""
    found = covered(analysis)
    if found is None or any(abs(found.share * n - 1.0) < SHARD_TOLERANCE for n in SHARDS):
        return None
    late = found.first > LARGEST_CONTEXT * found.whole
    return found if late or found.whole - found.stop > LARGEST_REMAINDER else None


def covered(analysis: Analysis) -> Coverage | None:
    """Return the stretch that one loop over the stream scores, None where the losses do not show one."""
    scores = analysis.composition.scores if analysis.composition is not None else ()
    whole = max((sum(b - a for a, b in n.region.spans) for n in _streams(analysis)), default=0)
    if not scores or not whole or any(score.loss.info.get("unplaced") for score in scores):
        return None
    shared = set.intersection(*({ident for ident, _ in score.loss.loops} for score in scores))
    for ident, _ in scores[0].loss.loops:
        if ident not in shared:
            continue
        count = analysis.trace.walked.get(ident, 0)
        if not count:
            # What an inner loop runs over is one of the parts that this one takes.
            return None
        turns: dict[int, list[Region]] = {}
        for score in scores:
            turns.setdefault(dict(score.loss.loops)[ident], []).append(score.counted)
        stretch = _stretch({turn: Region.union(regions) for turn, regions in turns.items()}, count)
        return None if stretch is None else Coverage(*stretch, whole, scores[0].loss)
    return None


def _streams(analysis: Analysis) -> list[Node]:
    return [n for n in analysis.trace.nodes if n.kind is Kind.LOAD and n.info.get("split") == "val"]


def _stretch(turns: dict[int, Region], count: int) -> tuple[int, int] | None:
    """Return where a loop's scores begin and stop, None where its iterations do not follow on one another."""
    followed = sorted(turn for turn, region in turns.items() if region)
    if followed != sorted({0, 1, 2, count - 1}):
        return None
    starts = {turn: turns[turn].spans[0][0] for turn in followed}
    width = starts[1] - starts[0]
    if width > 0 and all(starts[turn] == starts[0] + turn * width for turn in followed):
        return starts[0], max(turns[count - 1].last + 1, starts[0] + count * width)
    for turn, after in pairwise(followed):
        gap = starts[after] - turns[turn].last - 1
        if gap < 0 or (after == turn + 1 and gap > GAP):
            return None
    return starts[0], turns[count - 1].last + 1
