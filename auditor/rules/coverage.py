"""How far into the validation stream a score is known to reach."""

from __future__ import annotations

from auditor.interp.analysis import Analysis

EARLY = 8_192
"""Position before which no score of the whole set ends; where a loop's end is not known, it is followed no further."""


def known_to_go_on(analysis: Analysis) -> bool:
    """Say whether the followed scores reach beyond the very start of the stream, so that they may be of all of it."""
    scores = analysis.composition.scores if analysis.composition is not None else ()
    return max((score.counted.last for score in scores), default=EARLY) >= EARLY
