"""What the prover can say, and the errors with which it declines. No behaviour."""

from __future__ import annotations

from enum import Enum

from auditor.errors import PgolfError


class ProverUnavailable(PgolfError):
    """The prover cannot run on this machine."""

    @classmethod
    def missing(cls, package: str) -> ProverUnavailable:
        """Say which package is absent and which extra brings it."""
        return cls(f"pgolf prove needs {package}: install the extra with  pip install 'pgolf[torch]'")


class Outcome(str, Enum):
    """What the miniature showed, worst first."""

    LEAK = "LEAK"
    """A score changed with a token that was scored later."""
    NOT_NORMALISED = "NOT_NORMALISED"
    """The probabilities of all tokens at one position sum to more than one."""
    RESCORED = "RESCORED"
    """More than half of the positions enter the metric more than once."""
    BYTES_DIFFER = "BYTES_DIFFER"
    """The byte denominator is not the byte count of the text."""
    NONDETERMINISTIC = "NONDETERMINISTIC"
    """Two equal runs differ: nothing can be concluded."""
    UNDECIDED = "UNDECIDED"
    CLEAN_IN_MINIATURE = "CLEAN_IN_MINIATURE"
    """No violation in the code that ran, under these settings. Never a pass."""
