"""The error tree. One boundary (the use case) catches these and turns them into findings; nothing else does."""

from __future__ import annotations


class PgolfError(Exception):
    """Base of every error that pgolf raises on purpose; its text is a sentence fit for a person."""


class IntakeError(PgolfError):
    """A path cannot be read as a submission."""


class UnpackError(PgolfError):
    """A shim layer cannot be decoded statically."""


class FrontendError(PgolfError):
    """A script cannot be parsed."""


class BudgetExceeded(PgolfError):
    """A cap of `limits.Limits` was reached."""

    def __init__(self, resource: str, limit: float, actual: float | None = None) -> None:
        self.resource, self.limit, self.actual = resource, limit, actual
        seen = "" if actual is None else f" (reached {actual:g})"
        super().__init__(f"{resource}: limit of {limit:g} exceeded{seen}")


class SandboxUnavailable(PgolfError):
    """No sandbox of the required level can be built on this machine."""
