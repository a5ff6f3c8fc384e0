"""Model and tokenizer files that a submission ships, by their size. Tokenizer bytes stand apart: whether they count is
an open question of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from auditor.model.submission import FileKind, Submission

_MODEL_SUFFIXES = frozenset(
    {".ptz", ".pt", ".pth", ".bin", ".npz", ".xz", ".lzma", ".br", ".zst", ".zlib", ".safetensors", ".blob", ".int8"}
)
_TOKENIZER_SUFFIXES = frozenset({".model", ".vocab"})
_MODEL_MIN_BYTES = 100_000
"""Below, a file with such a suffix is a table or a test, not a model."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One shipped data file."""

    path: str
    bytes: int


def shipped_models(submission: Submission) -> tuple[Blob, ...]:
    """Return the files that look like models, largest first."""
    found = [
        Blob(entry.path, entry.size)
        for entry in submission.files
        if entry.kind in (FileKind.REGULAR, FileKind.OVERSIZE)
        and PurePosixPath(entry.path).suffix.lower() in _MODEL_SUFFIXES
        and entry.size >= _MODEL_MIN_BYTES
    ]
    return tuple(sorted(found, key=lambda blob: (-blob.bytes, blob.path)))


def shipped_tokenizers(submission: Submission) -> tuple[Blob, ...]:
    """Return the tokenizer files in path order."""
    return tuple(
        Blob(entry.path, entry.size)
        for entry in sorted(submission.files, key=lambda item: item.path)
        if entry.kind in (FileKind.REGULAR, FileKind.OVERSIZE) and _is_tokenizer(PurePosixPath(entry.path))
    )


def _is_tokenizer(path: PurePosixPath) -> bool:
    return path.suffix.lower() in _TOKENIZER_SUFFIXES or (
        path.suffix.lower() == ".json" and "tokenizer" in path.name.lower()
    )
