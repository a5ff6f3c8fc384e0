"""Setup commands that give a shard another split's name: a validation shard that is linked as a training shard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.intake.decode import decode
from auditor.model.submission import Submission

_ALIAS = re.compile(
    r"^\s*(?:\$\s*)?(?:sudo\s+)?(?:ln|cp|mv|rsync|install)\s(?:-\S+\s+)*"
    r"(?P<source>\S*_val_\S*\.bin)\s+(?P<target>\S*_train_\S*\.bin)",
    re.MULTILINE,
)
"""The official shards are called fineweb_val_*.bin and fineweb_train_*.bin; the data set fixes these names."""


@dataclass(frozen=True, slots=True)
class DataLink:
    """One command that gives a validation shard the name of a training shard."""

    file: str
    line: int
    text: str


def validation_as_training(submission: Submission) -> Iterator[DataLink]:
    """Yield the stated commands after which training files hold validation tokens, in the order of the files."""
    for entry in submission.files:
        if entry.data is None or not entry.path.lower().endswith((".md", ".sh", ".txt")):
            continue
        text = decode(entry.data)[0]
        for match in _ALIAS.finditer(text):
            yield DataLink(entry.path, text.count("\n", 0, match.start("source")) + 1, match[0].strip())
