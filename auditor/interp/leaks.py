"""Scores of tokens that had been learned from before: found by comparing regions, told apart by how it came about.

Every leak is a pair of events, what learned and what scored, with the positions they share. Names play no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from auditor.interp.doubt import happened
from auditor.interp.graph import Kind, Node, ancestors
from auditor.interp.learn import Learned
from auditor.interp.region import Region
from auditor.interp.scores import Composition, Score

TOLERATED_SHARE = 0.02
"""Share of counted positions that may overlap before it is more than a window boundary (one token in a chunk)."""
ALL_OF_WINDOW = 0.995
"""Share of a mixture that its table must hold where context may be in it: of a window, the scored end is new."""
REACH = 2_000
"""Events looked through between a blend and its look-ups."""

TRIED = 8
"""Forward passes that are tried for one that surely fitted the weights, of all that may have."""


class Way(str, Enum):
    """How a score came after learning from the same tokens."""

    BEFORE_SCORING = "adapted before scoring"
    LATER_EPOCH = "scored in a later epoch than learned"
    SECOND_PASS = "scored again after learning from the first score"
    TRAINING_LOOP = "learned in the training loop"
    CALIBRATION = "reached the weights without a gradient"
    WINDOW_PARAMETER = "parameter optimised on the scored window"
    CACHE = "cached before it was scored"


@dataclass(frozen=True, slots=True)
class Leak:
    """One way in which scored tokens had been learned from before."""

    way: Way
    learned: Node
    """The BACKWARD, CACHE_WRITE or FORWARD through which the tokens came in."""
    applied: Node | None
    """The STEP or write that put them into the weights."""
    score: Node
    overlap: Region
    share: float
    """Share of the counted positions of the headline that are affected."""
    certain: bool = True
    """False where the learning stands on one side of a condition that could not be decided."""


def find_leaks(
    nodes: list[Node], learned: list[Learned], composed: Composition, frame: int, guessed: frozenset[int] = frozenset()
) -> tuple[Leak, ...]:
    """Return the leaks behind the headline's scores, the widest of each way.

    `guessed` are calls whose order of positions is not known well enough to speak of a second look-up.
    """
    scores = composed.scores
    total = sum(score.counted.count for score in scores) or 1
    index = _Index(nodes, learned, min((s.loss.index for s in scores), default=0))
    found: dict[Way, list[tuple[Leak, int]]] = {}
    for score in scores:
        for leak in _leaks_of(score, index, frame):
            found.setdefault(leak.way, []).append((leak, min(leak.overlap.count, score.counted.count)))
    if Way.CACHE not in found:
        for leak in _rescored(composed, learned, guessed):
            found.setdefault(Way.CACHE, []).append((leak, leak.overlap.count))
    rescored = {leak.learned.span for leak, _ in found.get(Way.SECOND_PASS, ())}
    made = []
    for way, leaks in found.items():
        if way is Way.BEFORE_SCORING and all(leak.learned.span in rescored for leak, _ in leaks):
            # The first scores of these positions were left out of the sample; those of their neighbours were not.
            continue
        sure = [(leak, count) for leak, count in leaks if leak.certain]
        for some in (sure, leaks):
            share = sum(count for _, count in some) / total
            if share > TOLERATED_SHARE:
                widest = max((leak for leak, _ in some), key=lambda leak: leak.overlap.count)
                made.append(replace(widest, share=min(share, 1.0), certain=some is sure))
                break
    return tuple(made)


class _Index:
    """Look-ups over the graph that several leaks share."""

    def __init__(self, nodes: list[Node], learned: list[Learned], first_score: int) -> None:
        self.nodes, self.learned, self.first_score = nodes, learned, first_score
        self.backwards = [n for n in nodes if n.kind is Kind.BACKWARD]
        self.steps = [n for n in nodes if n.kind in (Kind.STEP, Kind.PARAM_WRITE)]
        self.train_spans = {n.span for n in self.backwards if any(learned[p.index].train_data for p in n.parents)}
        self.train_frames = {frame for n in self.backwards if n.span in self.train_spans for frame in n.frames}
        self.losses = [n for n in nodes if n.kind is Kind.LOSS and n.region]
        self.descended_losses = {
            n.index for b in self.backwards for p in b.parents for n in ancestors(p, into_state=False, cap=200)
        }
        """Losses that a backward pass descends on; the others are scores of their own."""
        self.used = _used(nodes)
        self.hooked = any(n.doubts and (n.info.get("hooked") or n.info.get("unsure")) for n in nodes)
        """Whether activations went into a hook that may not have been registered, or weights may have started over."""
        self._descended: dict[int, Region] = {}
        self._applied: dict[int, Node] = {}
        self._behind: dict[tuple[int, ...], frozenset[int]] = {}

    def descended(self, backward: Node) -> Region:
        """Return the positions whose loss a backward pass descends on."""
        if backward.index not in self._descended:
            self._descended[backward.index] = Region.union(self.learned[p.index].losses for p in backward.parents)
        return self._descended[backward.index]

    def applied(self, backward: Node) -> Node | None:
        """Return the first step that applies the gradients of a backward pass."""
        if not self._applied:
            for node in reversed(self.steps):
                for parent in node.parents:
                    if parent.kind is Kind.BACKWARD:
                        self._applied[parent.index] = node
        return self._applied.get(backward.index)

    def behind(self, loss: Node) -> frozenset[int]:
        """Return the indices of everything that the prediction of a loss was made from, state included."""
        key = tuple(sorted(s.index for p in loss.parents for s in (*p.state, p)))
        if key not in self._behind:
            reached = {n.index for p in loss.parents for n in ancestors(p, into_state=True)}
            self._behind[key] = frozenset(reached)
        return self._behind[key]


def _used(nodes: list[Node]) -> set[int]:
    """Return the events from which more was made than sums that nobody asks for: a loss that is not, is no score."""
    used: set[int] = set()
    for node in reversed(nodes):
        if node.kind not in (Kind.REDUCE, Kind.RETURN) or node.index in used:
            used.update(parent.index for parent in node.parents)
    return used


def _leaks_of(score: Score, index: _Index, frame: int) -> Iterator[Leak]:
    known = index.learned[score.loss.index]
    if known.trained_unplaced and not known.trained & score.counted:
        source = _unplaced_source(score, index, frame)
        if source is not None:
            yield _leak(Way.BEFORE_SCORING, index, source, index.applied(source), score.loss, score.counted)
    if score.loss.info.get("unplaced"):
        return
    overlap = known.trained & score.counted
    if overlap and (score.exact or overlap.count == score.counted.count):
        yield from _by_gradient(score, overlap, index, frame)
    if known.fitted and not known.trained & score.counted:
        # The sample may score other positions than were fitted to; what counts is that fitting came before any score.
        source = _source(score, index, (Kind.FORWARD,), known.fitted)
        if source is not None and source.index < index.first_score:
            yield _leak(Way.CALIBRATION, index, source, None, score.loss, known.fitted)
    overlap = known.cached & score.counted
    if overlap:
        source = _source(score, index, (Kind.CACHE_WRITE,), overlap)
        yield _leak(Way.CACHE, index, source or score.loss, None, score.loss, overlap)


def _leak(way: Way, index: _Index, learned: Node, applied: Node | None, score: Node, overlap: Region) -> Leak:
    return Leak(way, learned, applied, score, overlap, 0.0, happened(learned, score, index.hooked))


def _rescored(composed: Composition, learned: list[Learned], guessed: frozenset[int]) -> Iterator[Leak]:
    """Yield blends of a score with table entries, where the table had been filled with the scored tokens before."""
    counted = {score.loss.index: score.counted for score in composed.scores}
    exact = all(score.exact for score in composed.scores)
    for blend in composed.blends:
        if not guessed.isdisjoint(blend.frames):
            continue
        behind = list(ancestors(blend, into_state=False, cap=REACH))
        target = Region.of(blend.info["target"]) & Region.union(counted[n.index] for n in behind if n.index in counted)
        for read in behind:
            if read.kind is not Kind.CACHE_READ:
                continue
            overlap = learned[read.index].cached & target
            if overlap.count <= (0 if exact else target.count * ALL_OF_WINDOW):
                continue
            writes = (n for s in read.state for n in ancestors(s, into_state=False, cap=REACH))
            source = next((n for n in writes if n.kind is Kind.CACHE_WRITE and n.region & overlap), read)
            yield Leak(Way.CACHE, source, None, blend, overlap, 0.0, happened(source, blend, False))
            break


def _unplaced_source(score: Score, index: _Index, frame: int) -> Node | None:
    """Return a backward pass over validation tokens at unknown positions that was over before any score was fixed.

    Where nothing was scored in that call either, no order of positions could make it learning from scored tokens.
    """
    for node in index.backwards:
        if (
            node.index > index.first_score
            or frame in node.frames
            or not any(index.learned[p.index].unplaced for p in node.parents)
        ):
            continue
        own = set(node.frames) - set(score.loss.frames)
        scored = any(
            n.index < node.index and own & set(n.frames) and n.index not in index.descended_losses for n in index.losses
        )
        if own and not scored and node.index in index.behind(score.loss):
            return node
    return None


def _source(score: Score, index: _Index, kinds: tuple[Kind, ...], overlap: Region) -> Node | None:
    behind = index.behind(score.loss)
    own = {p.index for p in score.loss.parents}
    fitting = [n for i in sorted(behind) if (n := index.nodes[i]).kind in kinds and i not in own and n.region & overlap]
    return next((n for n in fitting[:TRIED] if happened(n, score.loss, index.hooked)), fitting[0] if fitting else None)


def _by_gradient(score: Score, overlap: Region, index: _Index, frame: int) -> Iterator[Leak]:
    """Yield one leak for each way in which a backward pass behind this score had used its positions."""
    behind = index.behind(score.loss)
    best: dict[Way, tuple[tuple[bool, int], Node, Node | None, Region]] = {}
    for node in index.backwards:
        if node.index > score.loss.index or node.index not in behind:
            continue
        shared = index.descended(node) & overlap
        if not shared:
            continue
        applied = index.applied(node)
        beside = applied is not None and (applied.info.get("rows") or applied.info.get("vector"))
        if beside and not index.descended(node).holds(score.counted.last):
            # Rows overlap, so that each row's scored tokens are context of the next; the last row's are of none.
            continue
        way = _way(node, applied, score, index, frame, shared)
        rank = (happened(node, score.loss, index.hooked), shared.count)
        if way not in best or rank > best[way][0]:
            best[way] = (rank, node, applied, shared)
    for way, (_, node, applied, shared) in best.items():
        yield _leak(way, index, node, applied, score.loss, shared)


def _way(learned: Node, applied: Node | None, score: Score, index: _Index, frame: int, overlap: Region) -> Way:
    if applied is not None and applied.info.get("loose"):
        return Way.WINDOW_PARAMETER
    if learned.span in index.train_spans or not _trained_before(learned, index):
        return Way.TRAINING_LOOP
    inside = frame in learned.frames and frame in score.loss.frames
    if inside and _shares_epoch(learned, score.loss):
        return Way.LATER_EPOCH
    own = set(learned.frames) - set(score.loss.frames) or {learned.frames[-1]} - index.train_frames
    if inside and frame not in index.train_frames:
        # In a function that also trains, a score before the learning is one of its validations, not a first pass.
        own.add(frame)
    # Epochs with validations between them: what counts is whether a score came before the first learning.
    first = next(n for n in index.backwards if n.span == learned.span and index.descended(n) & overlap)
    earlier = (n for n in index.losses if n.index < first.index and own & set(n.frames) and n.region & overlap)
    if any(n.index not in index.descended_losses and n.index in index.used for n in earlier):
        return Way.SECOND_PASS
    return Way.BEFORE_SCORING


def _trained_before(learned: Node, index: _Index) -> bool:
    """Say whether the weights had been trained otherwise before: on other data, or in a run that is loaded."""
    if index.train_spans:
        return any(n.index < learned.index and n.span in index.train_spans for n in index.backwards)
    if any(n.index < learned.index and not index.descended(n) for n in index.backwards):
        return True
    return any(n.kind is Kind.LOAD and n.info.get("saved") for n in ancestors(learned, into_state=True, cap=4_000))


def _shares_epoch(learned: Node, scored: Node) -> bool:
    """Say whether both happened in one loop of the scoring function, the learning in an earlier iteration."""
    mine = dict(scored.loops)
    return any(ident in mine and iteration < mine[ident] for ident, iteration in learned.loops)
