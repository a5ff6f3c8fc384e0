"""What a rule sees, and the two ways it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.model.evidence import Evidence
from auditor.model.finding import Effect, Finding, Pass, PathStep, Ruling
from auditor.model.smoke import SmokeReport
from auditor.model.source import Program, Span
from auditor.model.submission import Submission
from auditor.rules.data import Card, Edition

if TYPE_CHECKING:
    from auditor.interp.analysis import Analysis
    from auditor.prover.proof import Proof
    from auditor.rules.verdict import Legality


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Everything that is known of one submission; `card` is the card of the rule that is asked."""

    card: Card
    edition: Edition
    submission: Submission
    program: Program | None
    analysis: Analysis | None
    """The interpreter's traces; None where there is no program that parses."""
    evidence: Evidence
    limits: Limits = DEFAULT_LIMITS
    proof: Proof | None = None
    """What a run in miniature showed; None where none was asked for."""
    read_as: Legality | None = None
    """What the rules make of the path without the run; known only where there is a `proof`."""
    smoke: SmokeReport | None = None
    """How loading the script ended; None where nobody asked for a smoke test."""

    def violation(
        self,
        message: str,
        location: Span | None = None,
        path: tuple[PathStep, ...] = (),
        *,
        classes: tuple[str, ...] = (),
        effect: Effect | None = None,
        latent: str | None = None,
    ) -> Finding:
        """Build a VIOLATION of this rule; `effect` may lower, never raise, what the edition gives the rule."""
        return self._finding(Ruling.VIOLATION, message, location, path, classes, effect, latent)

    def unproven(
        self,
        message: str,
        location: Span | None = None,
        path: tuple[PathStep, ...] = (),
        *,
        effect: Effect | None = None,
    ) -> Finding:
        """Build an UNPROVEN finding of this rule: it asks for review, or for what only the author can supply."""
        return self._finding(Ruling.UNPROVEN, message, location, path, (), effect or Effect.REVIEW, None)

    def established(self, text: str, *, classes: tuple[str, ...] = ()) -> Pass:
        """Build a PASS: say what was established, not that nothing was found."""
        return Pass(rule=self.card.id, established=text, classes=classes)

    def _finding(
        self,
        ruling: Ruling,
        message: str,
        location: Span | None,
        path: tuple[PathStep, ...],
        classes: tuple[str, ...],
        effect: Effect | None,
        latent: str | None,
    ) -> Finding:
        order = [Effect.NOTE, Effect.REVIEW, Effect.ACTION, Effect.FLAG]
        ceiling = self.edition.effects[self.card.id]
        chosen = ceiling if effect is None else min(effect, ceiling, key=order.index)
        return Finding(
            rule=self.card.id,
            slug=self.card.slug,
            ruling=ruling,
            effect=chosen,
            message=message,
            location=location,
            path=path,
            classes=classes,
            citations=self.card.citations,
            latent=latent,
        )
