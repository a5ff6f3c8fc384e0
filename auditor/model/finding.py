"""Findings, passes and what a rule may yield."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from auditor.model.source import Span


class Ruling(str, Enum):
    """What a rule says of a submission."""

    PASS = "PASS"
    VIOLATION = "VIOLATION"
    UNPROVEN = "UNPROVEN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Effect(str, Enum):
    """How far a finding may move the verdict; the edition sets it per rule, a rule may lower it for one finding."""

    FLAG = "flag"
    ACTION = "action"
    REVIEW = "review"
    NOTE = "note"

    @property
    def level(self) -> str:
        """SARIF level: error, warning or note."""
        return {"flag": "error", "action": "warning", "review": "warning", "note": "note"}[self.value]


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of an evidence path, in the order in which it happens."""

    event: str
    span: Span
    function: str
    message: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Who ruled, when, and how firmly ("settled", "consensus" or "disputed")."""

    source: str
    date: str
    status: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact that a rule establishes (VIOLATION) or cannot establish (UNPROVEN), with its evidence."""

    rule: str
    slug: str
    ruling: Ruling
    effect: Effect
    message: str
    location: Span | None
    path: tuple[PathStep, ...] = ()
    classes: tuple[str, ...] = ()
    """Ids of the eval-path classes that this finding establishes as active."""
    citations: tuple[Citation, ...] = ()
    latent: str | None = None
    """The setting that would switch this on, where it is not active in the run as submitted."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a rule established in a submission's favour."""

    rule: str
    established: str
    classes: tuple[str, ...] = ()
    """Ids of the legal eval-path classes that the rule recognised."""
