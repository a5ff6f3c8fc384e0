"""Verdicts per submission, in the words that reviewers already use, worst last."""

from __future__ import annotations

from enum import Enum


class Verdict(str, Enum):
    """Aggregate over all rules; the order of definition is the order of severity, UNREADABLE apart."""

    LOOKS_CLEAN = "LOOKS_CLEAN"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    NEEDS_AUTHOR_ACTION = "NEEDS_AUTHOR_ACTION"
    COMPLIANCE_FLAG = "COMPLIANCE_FLAG"
    UNREADABLE = "UNREADABLE"

    @property
    def recommendation(self) -> str:
        """A suggestion to the people who decide; never a decision."""
        return {
            "LOOKS_CLEAN": "merge pending standard checks",
            "NEEDS_REVIEW": "review by hand",
            "NEEDS_AUTHOR_ACTION": "author action",
            "COMPLIANCE_FLAG": "close unless the flagged path is shown not to produce the claimed number",
            "UNREADABLE": "review by hand",
        }[self.value]


class LegalityVerdict(str, Enum):
    """What the eval path behind the claimed number amounts to under the edition."""

    LEGAL = "legal"
    ILLEGAL = "illegal"
    DISPUTED = "disputed"
    UNCLEAR = "unclear"
