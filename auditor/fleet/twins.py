"""Submissions that several pull requests carry unchanged: one of five in the contest. Each is audited once per run.

The workers of a run share a directory of documents by name. A name is a hash over everything that an audit of the
submission sees, so that a document made for another task is the document that this task would have made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from auditor.model.submission import Submission
from auditor.report.json import dump, submission_document
from auditor.rules.data import edition
from auditor.usecases.audit import AuditOptions, audit_submission
from auditor.usecases.judge import content_hash

TWINS = "twins.tmp"
"""The directory, beside the results while a run is under way; also what a killed run leaves to the next."""


def document_of(submission: Submission, options: AuditOptions, shared: Path, tool: str) -> dict[str, Any]:
    """Return the JSON document of a submission: that which a worker left in `shared`, else a new one, left there."""
    rules = edition(options.edition)
    place = shared / f"{_name(submission, tool, rules.name)}.json"
    with contextlib.suppress(OSError, ValueError):
        known: dict[str, Any] = json.loads(place.read_text(encoding="ascii"))
        return known
    made = submission_document(audit_submission(submission, rules, options))
    scratch = place.with_suffix(f".{os.getpid()}")
    # A full disk costs the next task its saving and nothing else.
    with contextlib.suppress(OSError):
        shared.mkdir(parents=True, exist_ok=True)
        scratch.write_text(dump(made, indent=None), encoding="ascii")
        scratch.replace(place)
    return made


def _name(submission: Submission, tool: str, rules: str) -> str:
    said = (
        tool, rules, submission.path, submission.name, submission.track.value, submission.script,
        submission.script_reason, submission.copy_of, submission.modified, content_hash(submission),
    )  # fmt: skip
    return hashlib.sha256(repr(said).encode("utf-8", "backslashreplace")).hexdigest()
