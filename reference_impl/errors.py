"""Errors of the reference implementation: each names what was expected and what was found."""

from __future__ import annotations


class ReferenceImplError(Exception):
    """Base of every error raised on purpose here; its text is fit for a person."""


class ConfigError(ReferenceImplError):
    """A preset, an override or a combination of settings makes no sense."""


class DataError(ReferenceImplError):
    """A shard, a tokenizer or a split is not what it claims to be."""


class ArtifactError(ReferenceImplError):
    """The artifact cannot be written, read, or kept under the byte limit."""


class LegalityError(ReferenceImplError):
    """Evaluation tried to learn from a token before its score was fixed, or to score one twice."""
